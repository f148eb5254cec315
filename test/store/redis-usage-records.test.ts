// What was consumed while Redis took no record of it.
import { type Test, test } from 'tap';
import { createRedisLink, type RedisLink } from '../../src/store/redis/redis-link.ts';
import { createRedisUsageRecords } from '../../src/store/redis/redis-usage-records.ts';
import type { UsageRecord, UsageRecords } from '../../src/store/usage-records.ts';
import { until } from '../e2e/limits-answers.ts';
import { type RedisServer, redisServer } from './redis-server.ts';

interface World {
  readonly redis: RedisServer;
  readonly link: RedisLink;
  readonly records: UsageRecords;
}

async function world(t: Test): Promise<World> {
  const redis = await redisServer(t);
  const link = await createRedisLink({ url: { current: redis.url } });
  t.teardown(() => link.close());
  await link.reached;
  return { redis, link, records: createRedisUsageRecords(link, 'p') };
}

const record = (characters: number): UsageRecord => ({
  atMs: characters,
  client: 'web',
  subject: 'ann',
  endpoint: '/tts/bytes',
  requests: 1,
  characters,
  spokenSeconds: 0,
  audioSeconds: 0,
  callSeconds: 0,
});

/** Ends it, and waits until that is noticed: what is sent on a connection that is about to break may have been done. */
async function kill({ redis, link }: World): Promise<void> {
  await redis.kill();
  await until(async () => link.state !== 'up');
}

/** In the order in which they stand there. */
const charactersIn = async (records: UsageRecords, max = 20_000): Promise<readonly number[]> =>
  (await records.list(max)).map(({ characters }) => characters);

test('what is consumed while Redis is away is recorded when it is back, once', async (t) => {
  const away = await world(t);
  const { redis, records } = away;
  await kill(away);
  for (let n = 1; n <= 250; n += 1) await t.rejects(records.add(record(n)));
  await redis.start();
  await until(async () => (await charactersIn(records).catch(() => [])).length === 250);
  await records.add(record(251));
  t.strictSame(
    await charactersIn(records),
    Array.from({ length: 251 }, (_, at) => at + 1),
  );
});

test('what a full Redis has refused is recorded with the first record that it takes', async (t) => {
  const { link, records } = await world(t);
  await records.add(record(1));
  await link.command('fill', 'CONFIG', 'SET', 'maxmemory', '1');
  for (const n of [2, 3]) await t.rejects(records.add(record(n)));
  t.strictSame(await charactersIn(records), [1]);
  await link.command('empty', 'CONFIG', 'SET', 'maxmemory', '0');
  await records.add(record(4));
  await until(async () => (await charactersIn(records)).length === 4);
  t.strictSame(await charactersIn(records), [1, 4, 2, 3]);
});

test('a Redis that comes back and is still full takes them later, and none is lost', async (t) => {
  const { link, records } = await world(t);
  await records.add(record(1));
  await link.command('fill', 'CONFIG', 'SET', 'maxmemory', '1');
  for (const n of [2, 3]) await t.rejects(records.add(record(n)));
  const { promise: isBack, resolve: comeBack } = Promise.withResolvers<void>();
  link.onReady(comeBack);
  await link.command('end', 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no').catch(() => {}); // it may be cut before it is answered
  await isBack;
  t.strictSame(await charactersIn(records), [1]);
  await link.command('empty', 'CONFIG', 'SET', 'maxmemory', '0');
  await records.add(record(4));
  await until(async () => (await charactersIn(records)).length === 4);
  t.strictSame(await charactersIn(records), [1, 4, 2, 3]);
});

test('of very many the newest are kept', async (t) => {
  const away = await world(t);
  const { redis, records } = away;
  await kill(away);
  for (let n = 1; n <= 10_005; n += 1) await records.add(record(n)).catch(() => {});
  await redis.start();
  await until(async () => (await charactersIn(records).catch(() => [])).length === 10_000);
  const [first, ...others] = await charactersIn(records);
  t.strictSame([first, others.at(-1)], [6, 10_005]);
});

test('what Redis was sent and did not answer is not said again: it may have been recorded', async (t) => {
  const { redis, link, records } = await world(t);
  redis.freeze();
  await t.rejects(records.add(record(1)));
  redis.resume();
  await until(async () => (await link.command('look', 'PING').catch(() => null)) === 'PONG');
  await records.add(record(2));
  t.strictSame(await charactersIn(records), [1, 2]);
});
