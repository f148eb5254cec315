import { type Test, test } from 'tap';
import { Secret } from '../../../src/config/secret.ts';
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

async function setUp(t: Test) {
  const limits = createLimits({ config: await configOf(LEAST), store: createMemoryStore() });
  const app = await buildManagement({
    readiness: createReadiness(),
    logger: createLogger('silent'),
    metrics: createMetrics(),
    admin: {
      token: createAdminToken(new Secret('open sesame')),
      limits,
      prices: { characters: null, audioSeconds: null, callSeconds: null },
      subjectHash: createSubjectHash(),
      clients: [],
    },
    details: () => ({ upstream: {}, store: 'up' }),
  });
  t.teardown(() => Promise.all([app.close(), limits.close()]));
  return { app, limits };
}

const OPERATOR = { authorization: 'Bearer open sesame' };

test('of more than a thousand sessions the operator is told how many are not listed', async (t) => {
  const { app, limits } = await setUp(t);
  const principal = principalOf();
  for (let id = 0; id < 1_002; id += 1)
    limits.sessions.add({ id: `${id}`, principal, endpoint: '/tts/bytes', cut() {} });
  const answer = await app.inject({ url: '/admin/sessions', headers: OPERATOR });
  const { sessions, ...rest } = answer.json();
  t.equal(sessions.length, 1_000);
  t.strictSame(rest, { left_out: 2, silent_replicas: 0 });
});

test('an id that is too long for any session is refused in the form of every error, and not repeated', async (t) => {
  const { app } = await setUp(t);
  for (const headers of [OPERATOR, {}]) {
    const url = `/admin/sessions/${'x'.repeat(500)}`;
    const { statusCode, headers: answered, body, json } = await app.inject({ method: 'DELETE', url, headers });
    t.equal(statusCode, 400);
    t.match(json(), { error_code: 'invalid_request', source: 'broker', request_id: answered['x-request-id'] });
    t.match(answered, { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store', 'x-request-id': /./ });
    t.notMatch(body, /xxx/);
  }
});
