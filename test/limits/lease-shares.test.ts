import { test } from 'tap';
import type { Config } from '../../src/config/config.ts';
import { poolRules, shareOf } from '../../src/limits/lease-shares.ts';
import { API_KEY, configOf, KEY_HASH } from '../config/loading.ts';

const CONFIG = `
upstream: { api_key: ${API_KEY}, concurrency: { tts: 15, stt: 60, agent: 4 } }
limits: { queue: { length: 40 } }
clients:
  web: { grants: [tts, agent], auth: { keys: ["${KEY_HASH}"] }, limits: { concurrency: { reserved: 2, max: 10, per_subject: 3, priority: high, weight: 2 } } }
  ios: { auth: { keys: ["${KEY_HASH.replace('9f', 'a0')}"] }, limits: { concurrency: { priority: low } } }
  tv: { auth: { keys: ["${KEY_HASH.replace('9f', 'a1')}"] }, limits: { concurrency: { reserved: 1, max: 5 } } }
  car: { auth: { keys: ["${KEY_HASH.replace('9f', 'a2')}"] }, limits: { concurrency: { per_subject: 1 } } }
  toy: { auth: { keys: ["${KEY_HASH.replace('9f', 'a3')}"] } }
`;

async function config(t: { testdir(files: Record<string, string>): string }): Promise<Config> {
  return configOf({ BROKER_CONFIG: `${t.testdir({ 'broker.yaml': CONFIG })}/broker.yaml` });
}

test('each kind has its own limit, reserves and queue; open speech sockets get ten times the limit of speech', async (t) => {
  const all = await config(t);
  t.strictSame(
    (['tts', 'stt', 'agent', 'tts_socket'] as const).map((kind) => {
      const { limit, reserved, queueMax, isShared } = poolRules(kind, all);
      return [kind, limit, [...reserved], queueMax, isShared];
    }),
    [
      [
        'tts',
        15,
        [
          ['web', 2],
          ['tv', 1],
        ],
        40,
        true,
      ],
      ['stt', 60, [], 40, false],
      ['agent', 4, [['web', 2]], 40, false],
      ['tts_socket', 150, [], 40, true],
    ],
  );
});

test('without an account limit sockets have none either, and nothing is reserved', async (t) => {
  const all = await config(t);
  const rules = { ...all, upstream: { ...all.upstream, concurrency: { tts: null, stt: null, agent: null } } };
  for (const kind of ['tts', 'tts_socket'] as const)
    t.strictSame(poolRules(kind, rules), { limit: null, reserved: new Map(), queueMax: 40, isShared: true });
});

test("a client app's share sets its maximum, its maximum per subject, and its weight from weight and priority", async (t) => {
  const { clients } = await config(t);
  const shares = (kind: 'tts' | 'tts_socket') =>
    clients.map((client) => {
      const { clientMax, subjectMax, weight, isLimited } = shareOf(kind, client);
      return [client.name, clientMax, subjectMax, weight, isLimited];
    });
  t.strictSame(shares('tts'), [
    ['web', 10, 3, 8, true],
    ['ios', null, null, 0.25, false],
    ['tv', 5, null, 1, true],
    ['car', null, 1, 1, true],
    ['toy', null, null, 1, false],
  ]);
  t.strictSame(shares('tts_socket')[0], ['web', 100, 30, 8, true]);
});
