import { test } from 'tap';
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

test('of more than a thousand sessions the operator is told how many are not listed', async (t) => {
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
  const principal = principalOf();
  for (let id = 0; id < 1_002; id += 1)
    limits.sessions.add({ id: `${id}`, principal, endpoint: '/tts/bytes', cut() {} });
  const answer = await app.inject({ url: '/admin/sessions', headers: { authorization: 'Bearer open sesame' } });
  const { sessions, ...rest } = answer.json();
  t.equal(sessions.length, 1_000);
  t.strictSame(rest, { left_out: 2, silent_replicas: 0 });
});
