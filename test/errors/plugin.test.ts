import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { test } from 'tap';
import { toProblem } from '../../src/errors/from-fastify.ts';
import { errors, sendProblem, unknownRoutes } from '../../src/errors/plugin.ts';
import { Problem } from '../../src/errors/problems.ts';

const SECRET = 'sk_car_in_a_message';

async function appThat(fails: () => unknown, options: FastifyServerOptions = {}) {
  const reported: Problem[] = [];
  const app: FastifyInstance = Fastify(options);
  await app.register(errors, { onProblem: (problem) => reported.push(problem) });
  app.get('/', { schema: { response: { '5xx': { type: 'object', properties: {} } } } }, async () => fails());
  app.post('/', { bodyLimit: 10 }, async () => 'read');
  await app.register(unknownRoutes);
  return { app, reported };
}

test('a problem is answered with its status, code and message', async (t) => {
  const { app, reported } = await appThat(() => {
    throw new Problem('grant_not_allowed', 'The grant "stt" is not allowed.', { cause: new Error(SECRET) });
  });
  const response = await app.inject('/');
  t.equal(response.statusCode, 403);
  t.match(response.json(), { error_code: 'grant_not_allowed', message: 'The grant "stt" is not allowed.' });
  t.equal(response.headers['content-type'], 'application/json; charset=utf-8');
  t.equal(response.headers['content-length'], String(Buffer.byteLength(response.body)));
  t.notMatch(response.body, SECRET);
  t.match(reported, [{ code: 'grant_not_allowed' }]);
});

test('anything else is an internal error, and its message is not sent', async (t) => {
  for (const thrown of [
    new Error(SECRET),
    Object.assign(new Error(SECRET), { statusCode: 418, code: 'E_TEAPOT' }),
    Object.assign(new Error(SECRET), { statusCode: 200 }),
    SECRET,
    { error_code: SECRET, statusCode: 400, message: SECRET },
    null,
    undefined,
  ]) {
    const { app, reported } = await appThat(() => Promise.reject(thrown));
    const response = await app.inject('/');
    t.equal(response.statusCode, 500);
    t.match(
      response.json(),
      { error_code: 'internal_error', source: 'broker' },
      'the response schema of the route does not narrow it',
    );
    t.notMatch(response.body + JSON.stringify(response.headers), SECRET);
    t.match(reported, [{ code: 'internal_error' }]);
  }
});

test('errors of the framework are mapped to the catalogue', async (t) => {
  const { app, reported } = await appThat(() => null);
  for (const [request, status, code] of [
    [{ method: 'GET', url: `/${SECRET}` }, 404, 'not_found'],
    [{ method: 'DELETE', url: '/' }, 404, 'not_found'],
    [{ method: 'POST', url: '/', payload: SECRET, headers: { 'content-type': 'x/y' } }, 415, 'unsupported_media_type'],
    [
      { method: 'POST', url: '/', payload: `"${SECRET}"`, headers: { 'content-type': 'application/json' } },
      413,
      'payload_too_large',
    ],
  ] as const) {
    reported.length = 0;
    const response = await app.inject(request);
    t.equal(response.statusCode, status);
    t.match(response.json(), { error_code: code });
    t.notMatch(response.body, SECRET);
    t.match(reported, [{ code }]);
  }
});

test('framework error codes are mapped without their messages', async (t) => {
  for (const [code, expected] of [
    ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'unsupported_media_type'],
    ['FST_ERR_CTP_BODY_TOO_LARGE', 'payload_too_large'],
    ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', 'invalid_request'],
    ['FST_ERR_BAD_URL', 'invalid_request'],
    ['FST_ERR_MAX_PARAM_LENGTH', 'invalid_request'],
    ['ECONNRESET', 'invalid_request'],
    ['FST_ERR_SOMETHING_NEW', 'internal_error'],
    [undefined, 'internal_error'],
  ] as const) {
    const cause = Object.assign(new Error(SECRET), { code });
    const problem = toProblem(cause);
    t.equal(problem.code, expected, String(code));
    t.equal(problem.cause, cause, 'kept for the log');
    t.notMatch(problem.message, SECRET);
  }
  const problem = new Problem('draining');
  t.equal(toProblem(problem), problem);
});

test('a target that cannot be decoded is answered, although no hook has run', async (t) => {
  const { app } = await appThat(() => null, {
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, toProblem(error)),
  });
  const response = await app.inject(`/%zz${SECRET}`);
  t.equal(response.statusCode, 400);
  t.match(response.json(), { error_code: 'invalid_request' });
  t.notMatch(response.body, SECRET);
});
