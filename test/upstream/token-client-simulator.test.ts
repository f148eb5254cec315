// Against the simulated Cartesia, over TLS as in production.
import { type Test, test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import type { FaultAction } from '../../src/simulator/faults.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { clientUnderTest, problemOf, WISH } from './client-under-test.ts';

async function simulated(t: Test, keys: readonly string[] = ['sk_car_simulated']) {
  const simulator = await startSimulator();
  t.teardown(() => simulator.close());
  const apiKeys = keys.map((key) => new Secret(key));
  const under = clientUnderTest(t, {
    baseUrl: simulator.tlsUrl,
    authorities: simulator.certificate,
    apiKeys,
    deadlineMs: 1_000,
  });
  return { simulator, ...under };
}

test('a token has exactly the requested grants and lifetime', async (t) => {
  const { client } = await simulated(t);
  const before = Math.floor(Date.now() / 1_000);
  const { token, requestId } = await client.mint({
    grants: ['tts', 'agent'],
    expiresInSeconds: 77,
    version: '2026-08-14',
  });
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  t.equal(claims.grants.tts, true);
  t.notOk(claims.grants.stt);
  t.equal(claims.grants.agent, true);
  t.equal(claims.exp - claims.iat, 77);
  t.ok(claims.iat >= before - 1);
  t.type(requestId, 'string');
});

test('a key unknown to Cartesia is upstream_rejected, under both error formats', async (t) => {
  const { client, events } = await simulated(t, ['sk_car_unknown']);
  for (const version of ['2024-06-10', '2026-03-01']) {
    t.equal((await problemOf(t, client.mint({ ...WISH, version }))).code, 'upstream_rejected');
  }
  t.equal(events.filter(({ type }) => type === 'key_rejected').length, 2);
});

const FAULTS: readonly (readonly [FaultAction, string])[] = [
  [{ type: 'refuse', at: 'request' }, 'upstream_unavailable'],
  [{ type: 'hang' }, 'upstream_timeout'],
  [{ type: 'drip', part: 'headers', intervalMs: 50 }, 'upstream_timeout'],
  [{ type: 'drip', part: 'body', intervalMs: 50 }, 'upstream_timeout'],
  [{ type: 'reset', afterBodyBytes: 5 }, 'upstream_unavailable'],
  [{ type: 'half_close', at: 'before_headers' }, 'upstream_unavailable'],
  [{ type: 'half_close', at: 'inside_headers' }, 'upstream_unavailable'],
  [{ type: 'half_close', at: 'body', afterBodyBytes: 5 }, 'upstream_unavailable'],
  [{ type: 'garbage', bytes: 'garbage', keepOpen: true }, 'upstream_unavailable'],
  [{ type: 'garbage', bytes: 'not http at all\r\n\r\n' }, 'upstream_unavailable'],
  [{ type: 'redirect', location: 'https://example.com/access-token' }, 'upstream_unavailable'],
  [{ type: 'big_header', bytes: 20_000 }, 'upstream_unavailable'],
  [{ type: 'answer', status: 503, html: true }, 'upstream_unavailable'],
  [{ type: 'answer', status: 429, code: 'concurrency_limited', retryAfter: 9 }, 'concurrency_limited'],
  [{ type: 'answer', status: 429, retryAfter: 600 }, 'rate_limited'],
  [{ type: 'answer', status: 402, code: 'quota_exceeded' }, 'quota_exceeded'],
  [{ type: 'answer', status: 500, echoAuthorization: true }, 'upstream_unavailable'],
];

for (const [action, code] of FAULTS) {
  test(`fault ${JSON.stringify(action)}: ${code}, and the next mint is fine`, async (t) => {
    const { simulator, client } = await simulated(t);
    await client.load();
    const fault = simulator.faults.add({ match: { path: '/access-token' }, times: 1, action });
    const problem = await problemOf(t, client.mint(WISH));
    t.equal(problem.code, code);
    t.equal(fault.hits(), 1, 'asked once');
    t.match(await client.mint(WISH), { token: String });
  });
}

test('a handshake that is reset is retried', async (t) => {
  const { simulator, client, events } = await simulated(t);
  simulator.faults.add({ match: {}, times: 1, action: { type: 'refuse', at: 'accept' } });
  t.match(await client.mint(WISH), { token: String });
  t.match(events, [{ type: 'retry' }, { type: 'attempt', outcome: 'token' }]);
});
