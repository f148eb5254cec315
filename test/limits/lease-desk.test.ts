import { randomUUID } from 'node:crypto';
import { test } from 'tap';
import { LeaseDesk } from '../../src/limits/lease-desk.ts';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import type { LeasePool } from '../../src/store/store.ts';
import { pool } from '../store/lease-ask.ts';
import { redisServer } from '../store/redis-server.ts';

test('thousands of leases are confirmed a few hundred at a time, and none is lost', async (t) => {
  const server = await redisServer(t);
  const store = await createRedisStore({
    url: { current: server.url },
    prefix: randomUUID(),
    commandTimeoutMs: 5_000,
    times: { warmMs: 0, ttlMs: 60_000 },
  });
  t.teardown(() => store.close());
  await store.reached;
  const rules = pool(2_000);
  const leases = store.leases('tts_socket');
  const named: number[] = [];
  const watched: LeasePool = {
    ...leases,
    beat(given, owner, held, waiting) {
      named.push(held.length);
      return leases.beat(given, owner, held, waiting);
    },
  };
  const desk = new LeaseDesk({ kind: 'tts_socket', pool: watched, rules, replica: store.replica, onEvent: () => {} });
  const share = { clientMax: null, subjectMax: null, weight: 1, isLimited: false };
  const asked = Array.from({ length: 1_200 }, (_, at) => desk.ask({ client: 'web', subject: `s${at}` }, share, 0));
  await Promise.all(asked.map(({ granted }) => granted));
  await desk.beat();
  t.strictSame(named, [500, 500, 200]);
  await server.kill();
  await server.start();
  while (store.state !== 'up') await new Promise((resolve) => setTimeout(resolve, 5));
  await desk.beat();
  const { leases: entered } = await leases.view(rules);
  t.equal(entered.length, 1_200, 'an emptied store is told of all of them');
});
