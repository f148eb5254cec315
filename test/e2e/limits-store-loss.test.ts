// What may happen to Redis, on real processes, with the simulated Cartesia as the judge.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import tap, { test } from 'tap';
import { type SlowRelay, slowRelay } from '../store/slow-relay.ts';
import { type Answer, send } from './carried-broker.ts';
import { until } from './limits-answers.ts';
import { deploy, readiness } from './limits-replicas.ts';

tap.setTimeout(300_000); // half a minute on an otherwise idle machine

/** The limit of a call to Redis, 100 ms, and some reserve; a machine's usual time for a request comes on top. */
const ANSWERED_MS = 150;

test('Redis stalls for five seconds: refusals are quick, running streams go on, and nothing is given out twice', async (t) => {
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
  const late: Answer[] = [];
  for (const endMs = performance.now() + 5_000; performance.now() < endMs; await sleep(200))
    late.push(await speak(replicas[0], 'late'));
  redis.resume();
  t.ok(
    late.every(({ status, headers }) => status === 503 && headers['retry-after'] !== undefined),
    'all are refused, and told when to retry',
  );
  const { most } = timesOf(late);
  t.ok(most <= 250, `nine of ten within ${most} ms`);
  await Promise.all(Array.from({ length: 20 }, (_, at) => speak(replicas[at % 2 === 0 ? 0 : 1], `user-${at}`)));
  t.ok(simulator.counters().tts.highWater <= limit, 'never more than the limit');
  t.strictSame(await Promise.all(whole), [true, true]);
  await until(async () => (await speak(replicas[0], 'after')).status === 200);
});

test('Redis restarts empty: holders enter their running leases again', async (t) => {
  const limit = 2;
  const { simulator, redis, replicas, speak, begin } = await deploy(t, { limit, waitSeconds: 1 });
  const usual = timesOf(await twentyOf((n) => speak(replicas[0], `user-${n}`)));
  simulator.configure({ latency: { perChunkMs: 2_000 } });
  const streams = await Promise.all(replicas.map((replica, n) => begin(replica, `running-${n}`)));
  for (const stream of streams) stream.resume();
  simulator.configure({ latency: { perChunkMs: 0 } });
  redis.freeze();
  const inFlight = [1, 2, 3].map(async (n) => {
    const { status } = await speak(replicas[0], `in-flight-${n}`);
    return { status, atMs: performance.now() };
  });
  await sleep(20);
  const killedMs = performance.now();
  await redis.kill();
  const caught = await Promise.all(inFlight);
  const late = [await speak(replicas[0], 'late'), await speak(replicas[0], 'late'), await speak(replicas[0], 'late')];
  t.strictSame(
    [...caught, ...late].map(({ status }) => status),
    [503, 503, 503, 503, 503, 503],
  );
  // Some may be late because the machine is busy, so the quickest one counts.
  const quickest = Math.min(...caught.map(({ atMs }) => atMs - killedMs));
  t.ok(quickest <= ANSWERED_MS + usual.most, `asked when Redis was killed: ${Math.round(quickest)} ms`);
  const afterwards = Math.min(...late.map(({ ms }) => ms));
  t.ok(afterwards <= ANSWERED_MS + usual.most, `asked afterwards: ${Math.round(afterwards)} ms`);
  await redis.start();
  await until(async () => (await speak(replicas[0], 'late')).status !== 503);
  await Promise.all(Array.from({ length: 20 }, (_, at) => speak(replicas[at % 2 === 0 ? 0 : 1], `user-${at}`)));
  t.equal(simulator.counters().tts.highWater, limit, 'the lost leases still count');
  await Promise.all(streams.map((stream) => (stream.closed ? null : once(stream, 'close'))));
  await until(async () => (await speak(replicas[1], 'after')).status === 200);
});

test('Redis is missing at startup: the replica runs unready, and is ready within two seconds of Redis starting', async (t) => {
  const { redis, replicas, speak } = await deploy(t, { limit: 1, isRedisDown: true });
  t.strictSame(await Promise.all(replicas.map(readiness)), [503, 503]);
  const { body } = await send(`${replicas[0]?.managementUrl}/readyz`);
  t.match(JSON.parse(body.toString()), {
    error_code: 'overloaded',
    message: 'This replica is still starting. Redis has not been reached yet.',
    store: 'starting',
    upstream: {},
  });
  t.equal((await speak(replicas[0], 'early')).status, 503);
  await redis.start();
  const startedMs = performance.now();
  await until(async () => (await readiness(replicas[0])) === 200);
  t.ok(performance.now() - startedMs < 2_000);
});

test('Redis is slow: requests it answers in time are served, others refused in time, and no lease is lost', async (t) => {
  const limit = 5;
  const { promise: relayed, resolve: found } = Promise.withResolvers<SlowRelay>();
  const { replicas, speak, simulator, adminToken } = await deploy(t, {
    limit,
    client: { limits: { mint: 'off', quota: { characters: { subject: '1000000/day' } } } }, // booked together with the lease
    redisUrl: async ({ port }) => {
      const relay = await slowRelay(t, port);
      found(relay);
      return relay.url;
    },
  });
  const way = await relayed;
  const leased = async (): Promise<unknown> => {
    const { status, body } = await send(`${replicas[0].managementUrl}/admin/leases`, { credential: adminToken });
    if (status !== 200) return null; // Redis has not answered in time once more
    const { leases } = JSON.parse(body.toString()) as { leases: { tts: { leases: readonly unknown[] } } };
    return leases.tts.leases.length;
  };
  const twenty = (): Promise<Answer[]> => twentyOf((n) => speak(replicas[0], `user-${n}`));
  for (const delayMs of [50, 100, 200, 300]) {
    let failures: readonly string[] = [];
    // A machine that stalls for a tenth of a second looks like a Redis that answers too late, so one round without failures counts.
    for (let round = 0; round === 0 || (failures.length > 0 && round < 5); round += 1) {
      way.delayMs = 0;
      await until(async () => (await speak(replicas[0], 'before')).status === 200);
      const usual = timesOf(await twenty());
      way.delayMs = delayMs;
      const answers = await twenty();
      const refusals = answers.filter(({ status }) => status !== 200);
      const served = answers.length - refusals.length;
      if (delayMs > 100) t.equal(served, 0);
      t.ok(
        refusals.every(({ status, headers }) => status === 503 && headers['retry-after'] === '1'),
        'the others are told when to retry',
      );
      const { median, most } = timesOf(answers);
      failures = [
        ...(delayMs < 100 && served < 18 ? [`${served} of 20 served`] : []),
        ...(most > ANSWERED_MS + usual.most ? [`nine of ten within ${most} ms, without delay ${usual.most}`] : []),
        // It is left alone.
        ...(delayMs >= 200 && median > 50 + usual.median
          ? [`the median ${median} ms, without delay ${usual.median}`]
          : []),
      ];
    }
    t.strictSame(failures, [], `${delayMs} ms`);
    way.delayMs = 0;
    await until(async () => (await speak(replicas[0], 'after')).status === 200);
    await until(async () => (await leased()) === 0);
  }
  t.ok(simulator.counters().tts.highWater <= limit);
});

/** One after the other. */
async function twentyOf(ask: (n: number) => Promise<Answer>): Promise<Answer[]> {
  const answers = [];
  for (let n = 0; n < 20; n += 1) answers.push(await ask(n));
  return answers;
}

/** The median, and what most keep to: a busy machine may delay one of them. Milliseconds. */
function timesOf(answers: readonly { readonly ms: number }[]): { readonly median: number; readonly most: number } {
  const times = answers.map(({ ms }) => Math.round(ms)).sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor(times.length * part)] ?? Number.NaN;
  return { median: at(0.5), most: at(0.85) };
}
