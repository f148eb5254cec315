import { test } from 'tap';
import { type MintAnswer, readMintAnswer } from '../../src/upstream/mint-answer.ts';
import { API_KEY, everythingIn } from './client-under-test.ts';

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl_-';
const NOW = Date.UTC(2026, 2, 1, 12, 0, 0);
const ID = '5f0c1d7e-3b8a-4c55-9b1e-7a2d9f60c3a1';

function read(answer: Partial<MintAnswer>) {
  return readMintAnswer(
    { status: 200, headers: {}, body: JSON.stringify({ token: TOKEN }), ...answer },
    { isRevealing: (text) => text.includes(API_KEY), nowMs: NOW },
  );
}

function readProblem(answer: Partial<MintAnswer>) {
  const outcome = read(answer);
  if (outcome.outcome !== 'problem') throw new Error(`no problem: ${JSON.stringify(answer)}`);
  const { code, message, status, details } = outcome.problem;
  return { code, message, status, details, keyRefused: outcome.keyRefused, problem: outcome.problem };
}

test('a token is returned with upstream’s request id', async (t) => {
  t.strictSame(read({}), { outcome: 'token', token: TOKEN, requestId: null });
  t.strictSame(read({ headers: { 'x-request-id': ID } }), { outcome: 'token', token: TOKEN, requestId: ID });
  t.strictSame(read({ headers: { 'x-request-id': 'b', 'cartesia-request-id': ID } }), {
    outcome: 'token',
    token: TOKEN,
    requestId: ID,
  });
  t.strictSame(read({ body: JSON.stringify({ token: TOKEN, new_field: 1 }) }), {
    outcome: 'token',
    token: TOKEN,
    requestId: null,
  });
});

test('anything else with status 200 means a broken upstream', async (t) => {
  const bodies = [
    '',
    '{',
    'null',
    '[]',
    '"token"',
    '{}',
    '{"token":null}',
    '{"token":5}',
    '{"token":""}',
    '{"token":["a"]}',
    '{"token":"a b"}',
    '{"token":"a\\r\\nset-cookie: x"}',
    '{"token":"a\\u0000"}',
    '{"token":"tökén"}',
    '{"token":"=="}',
    JSON.stringify({ token: 'a'.repeat(8_193) }),
    JSON.stringify({ token: API_KEY }),
    JSON.stringify({ token: `${API_KEY}.x` }),
    `${JSON.stringify({ token: TOKEN })}x`,
    '<html></html>',
  ];
  for (const body of bodies) {
    const { code, details, problem } = readProblem({ body, headers: { 'x-request-id': ID } });
    t.equal(code, 'upstream_unavailable', body.slice(0, 40));
    t.equal(details.upstreamRequestId, ID);
    t.notMatch(everythingIn(problem), API_KEY);
  }
});

test('the other statuses, as a caller sees them', async (t) => {
  const table = [
    [201, 'upstream_unavailable', false],
    [204, 'upstream_unavailable', false],
    [301, 'upstream_unavailable', false],
    [302, 'upstream_unavailable', false],
    [307, 'upstream_unavailable', false],
    [304, 'upstream_unavailable', false],
    [400, 'upstream_rejected', false],
    [401, 'upstream_rejected', true],
    [403, 'upstream_rejected', true],
    [404, 'upstream_rejected', false],
    [405, 'upstream_rejected', false],
    [408, 'upstream_unavailable', false],
    [409, 'upstream_rejected', false],
    [421, 'upstream_unavailable', false],
    [422, 'upstream_rejected', false],
    [425, 'upstream_unavailable', false],
    [500, 'upstream_unavailable', false],
    [502, 'upstream_unavailable', false],
    [503, 'upstream_unavailable', false],
    [504, 'upstream_unavailable', false],
    [599, 'upstream_unavailable', false],
    [999, 'upstream_unavailable', false],
  ] as const;
  for (const [status, code, keyRefused] of table) {
    const problem = readProblem({
      status,
      headers: { 'cartesia-request-id': ID },
      body: '{"title":"Forbidden","message":"Upstream words"}',
    });
    t.equal(problem.code, code, String(status));
    t.equal(problem.status, 502);
    t.equal(problem.keyRefused, keyRefused);
    t.equal(problem.details.source, undefined);
    t.equal(problem.details.upstreamRequestId, ID);
    t.notMatch(problem.message, /Upstream words|Forbidden/);
  }
});

test('402 is passed on as the upstream’s', async (t) => {
  const { code, status, details } = readProblem({ status: 402, body: 'Quota exceeded: You have used all credits.' });
  t.equal(code, 'quota_exceeded');
  t.equal(status, 402);
  t.equal(details.source, 'upstream');
});

test('429 keeps Cartesia’s code and a wait between 1 and 60 seconds', async (t) => {
  const concurrency = '{"error_code":"concurrency_limited","title":"Too many concurrent requests","message":"m"}';
  const table = [
    [concurrency, undefined, 'concurrency_limited', 1],
    [concurrency, '7', 'concurrency_limited', 7],
    ['{"error_code":null,"title":"Too many","message":"m"}', '0', 'rate_limited', 1],
    ['{"error_code":"some_future_code","title":"x","message":"m"}', '86400', 'rate_limited', 60],
    ['Too many concurrent requests: You have exceeded it.', 'Sun, 01 Mar 2026 12:00:09 GMT', 'rate_limited', 9],
    ['<html>', 'soon', 'rate_limited', 1],
    ['', '-1', 'rate_limited', 1],
  ] as const;
  for (const [body, header, code, seconds] of table) {
    const problem = readProblem({ status: 429, body, headers: header === undefined ? {} : { 'retry-after': header } });
    t.equal(problem.code, code, body);
    t.equal(problem.status, 429);
    t.equal(problem.details.retryAfterSeconds, seconds, String(header));
    t.equal(problem.details.source, 'upstream');
  }
});

test('a request id in the body is used if the header has none', async (t) => {
  t.equal(readProblem({ status: 500, body: JSON.stringify({ request_id: ID }) }).details.upstreamRequestId, ID);
  t.equal(
    readProblem({ status: 500, body: JSON.stringify({ request_id: ID }), headers: { 'x-request-id': 'header' } })
      .details.upstreamRequestId,
    'header',
  );
});

test('an upstream that echoes our key reveals it to nobody', async (t) => {
  const echoes: Partial<MintAnswer>[] = [
    { headers: { 'x-request-id': API_KEY }, body: JSON.stringify({ token: TOKEN }) },
    { status: 500, headers: { 'cartesia-request-id': API_KEY }, body: `Oops: Bearer ${API_KEY}` },
    {
      status: 400,
      body: JSON.stringify({ title: API_KEY, message: API_KEY, error_code: API_KEY, request_id: API_KEY }),
    },
    { status: 401, body: JSON.stringify({ title: 'Bad', message: Buffer.from(API_KEY).toString('base64') }) },
    { status: 429, body: API_KEY, headers: { 'retry-after': API_KEY } },
  ];
  for (const echo of echoes) {
    const printed = everythingIn(read(echo));
    for (let at = 0; at + 12 <= API_KEY.length; at++) t.notOk(printed.includes(API_KEY.slice(at, at + 12)), printed);
    t.notOk(printed.includes(Buffer.from(API_KEY).toString('base64').slice(0, 12)));
  }
});

test('the log gets what upstream said', async (t) => {
  const { details } = readProblem({
    status: 429,
    body: '{"error_code":"concurrency_limited","title":"Too many","message":"Over the limit of your plan."}',
  });
  t.match(details.cause, { message: 'answer: status 429: concurrency_limited Too many: Over the limit of your plan.' });
});
