// Concurrency over HTTP, with the simulated Cartesia as the judge of what was really active.
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test, test } from 'tap';
import type { FaultAction } from '../../src/simulator/faults.ts';
import { type RedisServer, redisServer } from '../store/redis-server.ts';
import { type RunningBroker, startRunningBroker } from './running-broker.ts';

/** About a second and a half of audio, in eight chunks. */
const SPEECH = JSON.stringify({
  model_id: 'sonic-3',
  transcript: 'One two three four five six seven.',
  voice: { id: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b' },
  output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 },
});

interface Setup {
  readonly limit: number;
  /** What the simulated plan allows. */
  readonly plan?: number;
  /** Delay of each generation before its first byte. */
  readonly firstByteMs?: number;
  readonly waitSeconds?: number;
  readonly concurrency?: Readonly<Record<string, unknown>>;
}

/** A broker with one client app whose backend names its users. */
async function setUp(own: Test, redis: RedisServer | null, setup: Setup): Promise<RunningBroker> {
  const { limit, plan = 1000, firstByteMs = 0, waitSeconds = 2, concurrency = {} } = setup;
  const running = await startRunningBroker(own, {
    env: {
      PROXY: 'true',
      TTS_CONCURRENCY: String(limit),
      ...(redis === null ? {} : { REDIS_URL: redis.url.reveal(), REDIS_PREFIX: randomBytes(6).toString('hex') }),
    },
    file: (digest) => ({
      limits: { queue: { wait: waitSeconds } },
      clients: { kiosk: { auth: { keys: [digest] }, trusted: true, limits: { mint: 'off', concurrency } } },
    }),
  });
  await until(() => running.broker.readiness.state === 'ready');
  while ((await speak(running, 'first')).status !== 200); // a store that was empty gives nothing out at first
  running.simulator.configure({ limits: { tts: plan }, latency: { firstByteMs } });
  running.simulator.resetCounters();
  return running;
}

function headersOf({ appKey }: RunningBroker, subject: string): Record<string, string> {
  return { authorization: `Bearer ${appKey}`, 'content-type': 'application/json', 'x-broker-subject': subject };
}

async function speak(running: RunningBroker, subject: string): Promise<Response> {
  const answer = await fetch(`${running.broker.url}/tts/bytes`, {
    method: 'POST',
    headers: headersOf(running, subject),
    body: SPEECH,
  });
  await answer.clone().arrayBuffer();
  return answer;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

const FAULTS: readonly FaultAction[] = [
  { type: 'answer', status: 500 },
  { type: 'answer', status: 429 },
  { type: 'refuse' },
  { type: 'reset', afterBodyBytes: 0 },
  { type: 'reset', afterBodyBytes: 1_000 },
];

const server = redisServer(t);
const stores: readonly (readonly [name: string, () => Promise<RedisServer | null>])[] = [
  ['memory', async () => null],
  ['Redis', () => server],
];

for (const [name, redis] of stores) {
  test(`${name}: more requests than the plan allows are served in turn, never too many at once`, async (t) => {
    const running = await setUp(t, await redis(), { limit: 2, firstByteMs: 20 });
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => speak(running, `user-${i}`)));
    t.strictSame(
      answers.map(({ status }) => status),
      Array.from({ length: 12 }, () => 200),
    );
    t.equal(running.simulator.counters().tts.highWater, 2);
    t.equal(running.broker.leases, 0);
  });

  test(`${name}: a request that finds nothing free in time is told so, and when to retry`, async (t) => {
    const running = await setUp(t, await redis(), { limit: 1, firstByteMs: 1_500, waitSeconds: 1 });
    const first = speak(running, 'first');
    await until(() => running.simulator.counters().tts.active === 1);
    const startedMs = performance.now();
    const late = await speak(running, 'late');
    t.equal(late.status, 429);
    t.ok(performance.now() - startedMs >= 950, 'after its wait');
    t.match(await late.json(), { error_code: 'concurrency_limited', source: 'broker' });
    t.match(late.headers.get('retry-after'), /^[1-9][0-9]?$/);
    t.equal(late.headers.get('x-should-retry'), 'true');
    t.equal((await first).status, 200);
    t.equal(running.broker.leases, 0);
  });

  test(`${name}: a client that leaves frees its lease, while it waits and while it is served`, async (t) => {
    const running = await setUp(t, await redis(), { limit: 1, firstByteMs: 60_000, waitSeconds: 30 });
    const open = (subject: string) => {
      const request = httpRequest(`${running.broker.url}/tts/bytes`, {
        method: 'POST',
        headers: headersOf(running, subject),
      });
      request.on('error', () => {});
      request.end(SPEECH);
      return request;
    };
    const served = open('served');
    await until(() => running.simulator.counters().tts.active === 1);
    const waiting = open('waiting');
    await until(() => running.broker.leases === 2);
    waiting.destroy();
    await until(() => running.broker.leases === 1);
    const freed = performance.now();
    served.destroy();
    await until(() => running.broker.leases === 0);
    t.ok(performance.now() - freed < 1_000);
    await until(() => running.simulator.counters().tts.active === 0);
    t.equal(running.simulator.counters().tts.granted, 1, 'the one that left while waiting never reached Cartesia');
  });

  test(`${name}: one subject has its share and no more`, async (t) => {
    const running = await setUp(t, await redis(), {
      limit: 3,
      firstByteMs: 300,
      waitSeconds: 0,
      concurrency: { per_subject: 1 },
    });
    const answers = await Promise.all(['a', 'a', 'b'].map((subject) => speak(running, subject)));
    t.strictSame(answers.map(({ status }) => status).sort(), [200, 200, 429]);
  });

  test(`${name}: if Cartesia has less room than configured, requests wait for that too`, async (t) => {
    const running = await setUp(t, await redis(), { limit: 4, plan: 2, firstByteMs: 30 });
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => speak(running, `user-${i}`)));
    t.strictSame(
      answers.map(({ status }) => status),
      Array.from({ length: 8 }, () => 200),
    );
    t.ok(running.simulator.counters().tts.refused > 0, 'Cartesia did refuse');
    t.equal(running.broker.leases, 0);
  });

  test(`${name}: while Cartesia has no room at all, it is asked only now and then`, async (t) => {
    const running = await setUp(t, await redis(), { limit: 2, waitSeconds: 1 });
    const { simulator } = running;
    const asked = (): number => simulator.journal.entries().filter(({ path }) => path === '/tts/bytes').length;
    const refusal = { type: 'answer', status: 429 } as const;

    const always = simulator.faults.add({ match: { path: '/tts/bytes' }, action: refusal });
    simulator.journal.clear();
    t.equal((await speak(running, 'a')).status, 429);
    t.ok(asked() >= 2 && asked() <= 6, `${asked()} times in a second`);
    always.remove();

    const hinted = simulator.faults.add({ match: { path: '/tts/bytes' }, action: { ...refusal, retryAfter: 7 } });
    simulator.journal.clear();
    const { status, headers } = await speak(running, 'a');
    t.strictSame([status, headers.get('retry-after'), asked()], [429, '7', 1], 'Cartesia’s hint exceeds the wait');
    hinted.remove();
    await until(() => running.broker.leases === 0);

    simulator.faults.add({ match: { path: '/tts/bytes' }, action: refusal });
    simulator.journal.clear();
    const leaving = httpRequest(`${running.broker.url}/tts/bytes`, {
      method: 'POST',
      headers: headersOf(running, 'a'),
    });
    leaving.on('error', () => {});
    leaving.end(SPEECH);
    await until(() => asked() >= 2);
    leaving.destroy();
    await until(() => running.broker.carried === 0 && running.broker.leases === 0);
    const before = asked();
    await sleep(300); // longer than the next pauses: nothing signals that no request comes
    t.equal(asked(), before, 'it is not asked again for a client that left');
  });

  test(`${name}: a request that finds nothing free when it may retry is told so`, async (t) => {
    const running = await setUp(t, await redis(), { limit: 1, firstByteMs: 3_000, waitSeconds: 2 });
    const { simulator, broker } = running;
    const action = { type: 'answer', status: 429, retryAfter: 1 } as const;
    simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action });
    const asked = (): number => simulator.journal.entries({ path: '/tts/bytes' }).length;
    const askedBefore = asked();
    const refused = speak(running, 'refused');
    // It may retry after a second; until then its place is free, and is then taken for longer than it may wait.
    await until(() => asked() > askedBefore && broker.leases === 0);
    const next = speak(running, 'next');
    const answer = await refused;
    t.equal(answer.status, 429);
    t.match(await answer.json(), { error_code: 'concurrency_limited', source: 'broker' });
    t.match(
      running.logs.find(({ outcome }) => outcome === 'concurrency_limited'),
      { upstream_request_id: simulator.journal.entries({ path: '/tts/bytes' })[askedBefore]?.requestId },
      'it was Cartesia that had refused it',
    );
    t.equal((await next).status, 200);
    await until(() => broker.leases === 0);
    t.equal(simulator.counters().tts.granted, 1);
  });

  test(`${name}: a refused or broken answer frees its lease, and only a 429 is asked for again`, async (t) => {
    const running = await setUp(t, await redis(), { limit: 1 });
    const { simulator } = running;
    for (const action of FAULTS) {
      simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action });
      simulator.journal.clear();
      await speak(running, 'a').catch(() => {}); // some of them end in a broken body
      await until(() => running.broker.leases === 0);
      if (action.type === 'answer')
        t.equal(simulator.journal.entries({ path: '/tts/bytes' }).length, action.status === 429 ? 2 : 1);
    }
    t.equal((await speak(running, 'a')).status, 200);
  });
}
