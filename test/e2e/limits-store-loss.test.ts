// What may happen to Redis, on real processes, with the simulated Cartesia as the judge.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { until } from './limits-answers.ts';
import { deploy, readiness } from './limits-replicas.ts';

test('Redis stands still for five seconds: refusals are quick, what runs goes on, and nothing is given out twice', async (t) => {
  const limit = 2;
  const { simulator, redis, replicas, speak, begin } = await deploy(t, { limit });
  simulator.configure({ latency: { perChunkMs: 1_500 } });
  const streams = await Promise.all(replicas.map((replica, n) => begin(replica, `running-${n}`)));
  const whole = streams.map(async (stream) => {
    for await (const _ of stream);
    return stream.complete;
  });
  simulator.configure({ latency: { perChunkMs: 0 } });
  redis.freeze();
  for (const endMs = performance.now() + 5_000; performance.now() < endMs; await sleep(200)) {
    const { status, ms, headers } = await speak(replicas[0], 'late');
    if (status !== 503 || ms > 250) t.fail(`${status} after ${ms} ms`);
    if (headers['retry-after'] === undefined) t.fail('without retry-after');
  }
  redis.resume();
  await Promise.all(Array.from({ length: 20 }, (_, at) => speak(replicas[at % 2 === 0 ? 0 : 1], `user-${at}`)));
  t.ok(simulator.counters().tts.highWater <= limit, 'never more than the limit');
  t.strictSame(await Promise.all(whole), [true, true]);
  await until(async () => (await speak(replicas[0], 'after')).status === 200);
});

test('Redis is started again, empty: what runs is entered again by its holders', async (t) => {
  const limit = 2;
  const { simulator, redis, replicas, speak, begin } = await deploy(t, { limit, waitSeconds: 1 });
  simulator.configure({ latency: { perChunkMs: 2_000 } });
  const streams = await Promise.all(replicas.map((replica, n) => begin(replica, `running-${n}`)));
  for (const stream of streams) stream.resume();
  simulator.configure({ latency: { perChunkMs: 0 } });
  redis.freeze();
  const inFlight = [1, 2, 3].map((n) => speak(replicas[0], `in-flight-${n}`));
  await sleep(20);
  await redis.kill();
  const caught = await Promise.all(inFlight);
  t.strictSame(
    caught.map((answer) => answer.status),
    [503, 503, 503],
  );
  const quickest = Math.min(...caught.map((answer) => answer.ms)); // a busy machine lets some of them wait for itself
  t.ok(quickest < 250, `asked when Redis was killed: ${Math.round(quickest)} ms`);
  const { status, ms } = await speak(replicas[0], 'late');
  t.equal(status, 503);
  t.ok(ms < 250);
  await redis.start();
  await until(async () => (await speak(replicas[0], 'late')).status !== 503);
  await Promise.all(Array.from({ length: 20 }, (_, at) => speak(replicas[at % 2 === 0 ? 0 : 1], `user-${at}`)));
  t.equal(simulator.counters().tts.highWater, limit, 'the lost leases count');
  await Promise.all(streams.map((stream) => (stream.closed ? null : once(stream, 'close'))));
  await until(async () => (await speak(replicas[1], 'after')).status === 200);
});

test('Redis is not there at the start: the replica runs, is not ready, and is so within two seconds of it', async (t) => {
  const { redis, replicas, speak } = await deploy(t, { limit: 1, isRedisDown: true });
  t.strictSame(await Promise.all(replicas.map(readiness)), [503, 503]);
  t.equal((await speak(replicas[0], 'early')).status, 503);
  await redis.start();
  const startedMs = performance.now();
  await until(async () => (await readiness(replicas[0])) === 200);
  t.ok(performance.now() - startedMs < 2_000);
});

test('Redis is slow: callers hear so within its timeout', async (t) => {
  let delayMs = 0;
  const { replicas, speak } = await deploy(t, {
    limit: 5,
    client: { limits: { mint: 'off', quota: { characters: { subject: '1000000/day' } } } }, // asked for beside the lease
    redisUrl: async ({ port }) => {
      const between = createServer((inner) => {
        const outer = connect(port, '127.0.0.1');
        for (const [from, to] of [
          [inner, outer],
          [outer, inner],
        ] as const) {
          from.on('data', (bytes) => setTimeout(() => to.writable && to.write(bytes), delayMs / 2));
          from.on('close', () => to.destroy());
          from.on('error', () => to.destroy());
        }
      }).listen(0, '127.0.0.1');
      await once(between, 'listening');
      t.teardown(() => between.close());
      const address = between.address();
      return `redis://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
    },
  });
  delayMs = 300;
  const times: number[] = [];
  for (let i = 0; i < 30; i += 1) {
    const { status, ms } = await speak(replicas[0], `user-${i}`);
    t.equal(status, 503);
    times.push(ms);
  }
  times.sort((a, b) => a - b);
  t.ok((times.at(-1) ?? 0) < 250, `slowest ${Math.round(times.at(-1) ?? 0)} ms`);
  t.ok((times[15] ?? 0) < 50, `the median ${Math.round(times[15] ?? 0)} ms: it is left alone after failures`);
  delayMs = 0;
  await until(async () => (await speak(replicas[0], 'after')).status === 200);
});
