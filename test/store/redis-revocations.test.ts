// Lists of revocations that are too long for one reply.
import { test } from 'tap';
import { createRedisLink } from '../../src/store/redis/redis-link.ts';
import { createRedisRevocations } from '../../src/store/redis/redis-revocations.ts';
import type { Revocation } from '../../src/store/revocations.ts';
import { redisServer } from './redis-server.ts';

test('revocations are read about a thousand at a time, so that a list of any length can be read', async (t) => {
  const redis = await redisServer(t);
  const link = await createRedisLink({ url: { current: redis.url } });
  t.teardown(() => link.close());
  await link.reached;
  const now = Date.now();
  const store = createRedisRevocations({ link, prefix: 'p', epochNow: () => now, changed: () => {} });
  const token = (at: number, untilMs: number): Revocation => ({ scope: 'token', token: `token-${at}`, untilMs });
  const subject = (at: number): Revocation => ({ scope: 'subject', client: 'web', subject: `user-${at}` });
  for (let at = 0; at < 1_500; at += 1) {
    await store.add(subject(at));
    await store.add(token(at, at % 2 === 0 ? now + 600_000 : now));
  }
  await link.command('reset', 'CONFIG', 'RESETSTAT');
  const keyOf = (one: Revocation): string => JSON.stringify(one);
  const expected = Array.from({ length: 1_500 }, (_, at) => [
    subject(at),
    ...(at % 2 === 0 ? [token(at, now + 600_000)] : []),
  ]).flat();
  t.strictSame((await store.list()).map(keyOf).sort(), expected.map(keyOf).sort());
  t.match(await link.command('count', 'INFO', 'commandstats'), /cmdstat_hscan:calls=[2-9],/);
  t.equal(await link.command('length', 'HLEN', 'p:{revocations}:revoked'), 2_250, 'what has expired is dropped');
});
