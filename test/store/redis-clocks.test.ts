// Replicas and a Redis whose clocks differ: single-use names stay single-use, and revocations stay in force.
import { type Test, test } from 'tap';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import type { Store } from '../../src/store/store.ts';
import { type RedisServer, redisServer } from './redis-server.ts';

const MINUTE_MS = 60_000;

/** @param aheadMs how far its clock is ahead of Redis's, which is correct here */
async function replica(t: Test, server: RedisServer, aheadMs: number): Promise<Store> {
  const store = await createRedisStore({
    url: { current: server.url },
    prefix: 'p',
    commandTimeoutMs: 2_000, // not a test of speed: the machine may be busy
    epochNow: () => Date.now() + aheadMs,
  });
  t.teardown(() => store.close());
  await store.reached;
  return store;
}

for (const aheadMs of [-60 * MINUTE_MS, -5 * MINUTE_MS, 5 * MINUTE_MS, 60 * MINUTE_MS]) {
  const name = `${aheadMs / MINUTE_MS} minutes from Redis' clock`;

  test(`a name can be used once across replicas that are ${name}`, async (t) => {
    const server = await redisServer(t);
    const [one, other] = await Promise.all([replica(t, server, aheadMs), replica(t, server, aheadMs)]);
    const untilMs = Date.now() + aheadMs + MINUTE_MS; // expiry of a token made by one of them
    t.equal(await one.singleUse.use('name', 'first', untilMs), true);
    t.equal(await other.singleUse.use('name', 'second', untilMs), false);
    const operator = await replica(t, server, 0);
    t.equal(await operator.singleUse.use('name', 'third', untilMs), false);
  });

  test(`a revoked token stays revoked for its whole lifetime on a replica that is ${name}`, async (t) => {
    const server = await redisServer(t);
    const [one, other] = await Promise.all([replica(t, server, aheadMs), replica(t, server, 0)]);
    const now = Date.now() + aheadMs;
    const lasting = { scope: 'token', token: 'lasting', untilMs: now + MINUTE_MS } as const;
    await one.revocations.add(lasting);
    await one.revocations.add({ scope: 'token', token: 'past', untilMs: now });
    for (const store of [one, other]) t.strictSame(await store.revocations.list(), [lasting]);
    t.equal(await other.revocations.remove(lasting), true);
  });
}
