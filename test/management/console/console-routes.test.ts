// The console's routes without a browser: what no browser sends, and a store that is away.
import { type Test, test } from 'tap';
import { Secret } from '../../../src/config/secret.ts';
import { Problem } from '../../../src/errors/problems.ts';
import { createLimits } from '../../../src/limits/limits.ts';
import { createReadiness } from '../../../src/listener/readiness.ts';
import { createAdminToken } from '../../../src/management/admin/admin-token.ts';
import { buildManagement } from '../../../src/management/server.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createSubjectHash } from '../../../src/telemetry/subject-hash.ts';
import { configOf, LEAST } from '../../config/loading.ts';
import { principalOf } from '../../tokens/principal.ts';

const authorization = `Basic ${Buffer.from('ops:open:sesame').toString('base64')}`;

async function setUp(t: Test) {
  const limits = createLimits({
    config: await configOf({ ...LEAST, TTS_CONCURRENCY: '2' }),
    store: createMemoryStore(),
  });
  const lines: Record<string, unknown>[] = [];
  const admin = {
    token: createAdminToken(new Secret('open:sesame')),
    limits,
    prices: { characters: null, audioSeconds: null, callSeconds: null },
    subjectHash: createSubjectHash(),
    clients: ['web'],
  };
  const app = await buildManagement({
    readiness: createReadiness(),
    logger: createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) }),
    metrics: createMetrics(),
    admin,
    details: () => ({ upstream: { breaker: 'open', keys: { working: 1, total: 2 } }, store: 'away' }),
  });
  t.teardown(() => Promise.all([app.close(), limits.close()]));
  return {
    limits,
    lines,
    get: (url: string) => app.inject({ url, headers: { authorization } }),
    post: (url: string, payload: string, headers: Readonly<Record<string, string>> = {}) =>
      app.inject({
        method: 'POST',
        url,
        payload,
        headers: {
          authorization,
          host: 'broker:9090',
          origin: 'http://broker:9090',
          'content-type': 'application/x-www-form-urlencoded',
          ...headers,
        },
      }),
  };
}

test('a form that no browser sends is refused, and does nothing', async (t) => {
  const { post, limits, lines } = await setUp(t);
  for (const [payload, headers, status, words] of [
    ['scope=everything&scope=client', {}, 400, 'The field &quot;scope&quot; is there twice.'],
    ['scope=everything&sure=yes', {}, 400, 'exactly the fields scope'],
    ['scope=__proto__', {}, 400, 'The field &quot;scope&quot; must be'],
    ['__proto__=everything', {}, 400, 'The field &quot;scope&quot; must be'],
    ['scope=client&client=ios', {}, 400, 'must be the name of a client app: web'],
    ['', {}, 400, 'The field &quot;scope&quot; must be'],
    [`scope=${'x'.repeat(4096)}`, {}, 413, 'Payload too large'],
    ['{"scope":"everything"}', { 'content-type': 'application/json' }, 415, 'Unsupported media type'],
    ['scope=everything', { 'content-type': 'text/plain' }, 415, 'Unsupported media type'],
    ['scope=everything', { origin: 'http://evil.example' }, 403, 'Only the pages of the console'],
    ['scope=everything', { authorization: 'Basic b3BlbjpzZXNhbWU=' }, 401, 'The password is the admin token'],
    ['scope=everything', { authorization: 'Bearer open:sesame' }, 401, 'The password is the admin token'],
  ] as const) {
    const answer = await post('/console/revocations', payload, headers);
    t.match(answer, { statusCode: status, headers: { 'content-type': 'text/html; charset=utf-8' } }, payload);
    t.match(answer.body, words);
  }
  t.strictSame(limits.revocations.list(), []);
  t.equal(lines.filter(({ audit }) => audit === 'admin').length, 12, 'each has an audit line');
  t.match(await post('/console/revocations', 'scope=client&client=web'), {
    statusCode: 303,
    headers: { location: '/console/revocations?done=revoked' },
  });
  t.strictSame(limits.revocations.list(), [{ scope: 'client', client: 'web' }]);
});

test('a session that is over is not ended', async (t) => {
  const { post } = await setUp(t);
  const gone = await post('/console/sessions/end', 'id=gone');
  t.equal(gone.statusCode, 404);
  t.match(gone.body, 'No replica carries this session.');
  const nameless = await post('/console/sessions/end', 'session=gone');
  t.equal(nameless.statusCode, 400);
  t.match(nameless.body, 'The field &quot;id&quot; is missing.');
});

test('the programs of the API do not use the console, and browsers do not use the API', async (t) => {
  const { get } = await setUp(t);
  t.equal(
    (await get('/admin/sessions')).statusCode,
    401,
    'a browser would add its password to a request of another page',
  );
});

test('the oldest sessions come first, and those that are not listed are counted', async (t) => {
  const { get, limits } = await setUp(t);
  const principal = principalOf();
  for (let id = 0; id < 1_002; id += 1)
    limits.sessions.add({ id: `${id}`, principal, endpoint: '/tts/bytes', cut() {} });
  const { body } = await get('/console/sessions?client=&subject=');
  t.match(body, 'Requests and sockets under way: 1000');
  t.match(body, '2 more are not listed');
  t.equal((await get('/console/sessions?color=red')).statusCode, 400);
});

test('while Redis is away, the first page shows what is known', async (t) => {
  const { get, limits } = await setUp(t);
  limits.leases.view = async () => {
    throw new Problem('store_unavailable');
  };
  const { statusCode, body } = await get('/console');
  t.equal(statusCode, 200);
  t.match(body, '<dt>redis</dt><dd>away</dd>');
  t.match(body, '<dt>breaker</dt><dd>open</dd>');
  t.match(body, '<dt>keys</dt><dd>1 working, 2 total</dd>');
  t.match(body, 'The leases are not known.');
});

test('the first page says that Cartesia has lowered a limit', async (t) => {
  const { get, limits } = await setUp(t);
  t.match((await get('/console')).body, '<td>speech</td><td class="number">0</td><td>2</td><td class="number">0</td>');
  limits.leases.view = async () => ({ tts: { leases: [], waiting: 3, loweredTo: 1 } });
  t.match((await get('/console')).body, '<td>2, lowered to 1 because Cartesia refused</td><td class="number">3</td>');
});
