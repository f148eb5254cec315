// Usage that was recorded while Redis accepted no records.
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

/** Kills Redis and waits until the link notices: a call sent on a breaking connection may have been executed. */
async function kill({ redis, link }: World): Promise<void> {
  await redis.kill();
  await until(async () => link.state !== 'up');
}

/** In stored order. */
const charactersIn = async (records: UsageRecords, max = 20_000): Promise<readonly number[]> =>
  (await records.list(max)).map(({ characters }) => characters);

test('usage recorded while Redis is away is stored once when it is back', async (t) => {
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

test('records that a full Redis refused are stored along with the first one that it accepts', async (t) => {
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

test('a Redis that comes back still full gets the records later, and none is lost', async (t) => {
  const { link, records } = await world(t);
  await records.add(record(1));
  await link.command('fill', 'CONFIG', 'SET', 'maxmemory', '1');
  for (const n of [2, 3]) await t.rejects(records.add(record(n)));
  const { promise: isBack, resolve: comeBack } = Promise.withResolvers<void>();
  link.onReady(comeBack);
  await link.command('end', 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no').catch(() => {}); // the connection may be cut before the reply
  await isBack;
  t.strictSame(await charactersIn(records), [1]);
  await link.command('empty', 'CONFIG', 'SET', 'maxmemory', '0');
  await records.add(record(4));
  await until(async () => (await charactersIn(records)).length === 4);
  t.strictSame(await charactersIn(records), [1, 4, 2, 3]);
});

test('of more than 10,000 pending records the newest are kept', async (t) => {
  const away = await world(t);
  const { redis, records } = away;
  await kill(away);
  for (let n = 1; n <= 10_005; n += 1) await records.add(record(n)).catch(() => {});
  await redis.start();
  await until(async () => (await charactersIn(records).catch(() => [])).length === 10_000);
  const [first, ...others] = await charactersIn(records);
  t.strictSame([first, others.at(-1)], [6, 10_005]);
});

test('a record sent but not acknowledged is not sent again: it may have been stored', async (t) => {
  const { redis, link, records } = await world(t);
  redis.freeze();
  await t.rejects(records.add(record(1)));
  redis.resume();
  await until(async () => (await link.command('look', 'PING').catch(() => null)) === 'PONG');
  await records.add(record(2));
  t.strictSame(await charactersIn(records), [1, 2]);
});

test('records are read a thousand at a time, so that no other call has to wait for one long reply', async (t) => {
  const { link, records } = await world(t);
  for (let n = 1; n <= 3_500; n += 1) await records.add(record(n));
  const newest = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => 3_501 - count + at);
  for (const [max, count] of [
    [100_000, 3_500],
    [3_500, 3_500],
    [2_001, 2_001],
    [1_000, 1_000],
    [1, 1],
  ] as const)
    t.strictSame(await charactersIn(records, max), newest(count), `at most ${max}`);

  await link.command('reset', 'CONFIG', 'RESETSTAT');
  await records.list(100_000);
  t.match(await link.command('count', 'INFO', 'commandstats'), /cmdstat_xrevrange:calls=4,/);
});
