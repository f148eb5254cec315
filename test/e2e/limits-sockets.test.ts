// Concurrency and budgets inside sockets, with the simulated Cartesia as the judge.

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { endpointsPage } from '../../scripts/docs/endpoints.ts';
import { SOCKET_ENDPOINTS } from '../../src/upstream/endpoints.ts';
import { makeCanary } from '../canary/canary.ts';
import { connect, type SocketClient } from '../simulator/sockets/socket-client.ts';
import { redisServer } from '../store/redis-server.ts';
import { metricsOf, until } from './limits-answers.ts';
import { openRaw } from './raw-connection.ts';
import { handshake, openRawSocket } from './raw-socket.ts';
import { clientOf, logged, type SocketBroker, STT_PATH, speech, startSocketBroker } from './socket-broker.ts';
import { startRawUpstream } from './socket-upstream.ts';

const TEXT = 'One two three four five six seven.';

async function setUp(t: Test, settings: Readonly<Record<string, unknown>>, client = {}): Promise<SocketBroker> {
  const running = await startSocketBroker(t, {
    file: (digest) => ({ ...settings, ...clientOf(digest, client) }),
    seams: { relays: { tickMs: 20, times: { pingMs: 1000 } } },
  });
  running.simulator.configure({ limits: { tts: 1000 } });
  return running;
}

function open(t: Test, { broker, simulator, appKey }: SocketBroker, path = '/tts/websocket'): Promise<SocketClient> {
  return connect(t, { ...simulator, url: broker.url }, path, { credential: appKey });
}

test('contexts of many sockets take turns: never more at once than the plan allows, and all are spoken', async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { tts: 2 } }, limits: { queue: { context_wait: 20 } } });
  const sockets = await Promise.all([1, 2, 3].map(() => open(t, running)));
  running.simulator.resetCounters();
  await Promise.all(
    sockets.map(async (socket, at) => {
      for (const name of ['a', 'b', 'c']) socket.send(speech(`${at}${name}`, TEXT));
      for (let done = 0; done < 3; done += 1) await socket.next('done');
    }),
  );
  const { tts } = running.simulator.counters();
  t.equal(tts.granted, 9);
  t.equal(tts.highWater, 2);
  await until(() => running.broker.leases === 3); // those of the sockets
});

test('a context that gets no turn in time gets an error, and the socket stays open', async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { tts: 1 } }, limits: { queue: { context_wait: 0 } } });
  running.simulator.configure({ latency: { firstByteMs: 500 } });
  const socket = await open(t, running);
  socket.send(speech('first', TEXT));
  socket.send(speech('second', TEXT));
  t.match(await socket.next('error'), { context_id: 'second', status_code: 429, error_code: 'concurrency_limited' });
  t.match(await socket.next('done'), { context_id: 'first' });
  await until(() => running.broker.leases === 1);
  socket.send(speech('third', TEXT));
  t.match(await socket.next('done'), { context_id: 'third' });
});

test('a socket that is torn down frees everything it held', async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { tts: 2, stt: 1 } } });
  running.simulator.configure({ latency: { firstByteMs: 60_000 } });
  const socket = await open(t, running);
  for (const name of ['a', 'b', 'c']) socket.send(speech(name, TEXT));
  const stt = await open(t, running, STT_PATH);
  await until(() => running.broker.leases === 5);
  socket.socket.terminate();
  stt.socket.terminate();
  await until(() => running.broker.leases === 0);
  t.equal(running.broker.leases, 0, 'two contexts, one that waited, and both sockets');
});

test('a transcription holds its lease as long as its socket is open', async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { stt: 1 } }, limits: { queue: { wait: 0 } } });
  const first = await open(t, running, STT_PATH);
  await t.rejects(open(t, running, STT_PATH), /429/);
  first.socket.terminate();
  await until(() => running.broker.leases === 0);
  t.ok(await open(t, running, STT_PATH));
});

test('a call with an agent holds its lease as long as it lasts', async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { agent: 1 } }, limits: { queue: { wait: 0 } } });
  const first = await open(t, running, '/agents/stream/agent_a');
  await t.rejects(open(t, running, '/v1/agents/websocket/agent_a'), /429/);
  first.socket.terminate();
  await until(() => running.broker.leases === 0);
  t.ok(await open(t, running, '/v1/agents/websocket/agent_a'));
});

test('there may be ten times as many speech sockets as generations, and no more', async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { tts: 1 } }, limits: { queue: { wait: 0 } } });
  const sockets = await Promise.all(Array.from({ length: 10 }, () => open(t, running)));
  await t.rejects(open(t, running), /429/);
  sockets[0]?.socket.terminate();
  await until(() => running.broker.leases === 9);
  t.ok(await open(t, running));
});

test('a socket ends when its budget is spent', async (t) => {
  const running = await setUp(t, {}, { limits: { mint: 'off', quota: { characters: { subject: '40/month' } } } });
  const socket = await open(t, running);
  socket.send(speech('a', TEXT));
  await socket.next('done');
  socket.send(speech('b', TEXT));
  t.equal((await socket.closed).code, 1008);
  await t.rejects(open(t, running), /402/);
});

test('a socket that consumes much at once ends before the next regular report', async (t) => {
  const client = { limits: { mint: 'off', quota: { characters: { subject: '1500/month' } } } };
  const running = await setUp(t, {}, client);
  const socket = await open(t, running);
  socket.send(speech('a', 'word '.repeat(200)));
  await socket.next('done');
  socket.send(speech('b', 'word '.repeat(200)));
  t.equal((await socket.closed).code, 1008);
  const [line] = running.logs.filter(({ msg }) => msg === 'socket closed');
  t.match(line, { outcome: 'quota_exceeded', characters: 2_000 });
  t.ok(Number(line?.['ms']) < 4_900, `${line?.['ms']} ms`);
});

test('a budget of audio cannot be evaded by the way the sample rate is written', async (t) => {
  const running = await setUp(t, {}, { limits: { mint: 'off', quota: { audio_seconds: { subject: '10/day' } } } });
  const path = '/stt/websocket?model=ink-2';
  for (const query of [
    'encoding=pcm_s16le&sample_rate=016000',
    'encoding=pcm_s16le&sample_rate=16000.0',
    'encoding=pcm_s16le&sample_rate=%2016000',
    'encoding=pcm_s16le&sample_rate=16000&sample_rate=8000',
    'encoding=pcm_s16le&encoding=pcm_s32le&sample_rate=16000',
    'encoding=opus&sample_rate=16000',
  ])
    await t.rejects(open(t, running, `${path}&${query}`), /400/, query);
  t.equal(running.simulator.journal.entries().length, 0, 'Cartesia was not asked');
  const socket = await open(t, running, STT_PATH);
  socket.send(Buffer.alloc(11 * 32_000));
  t.equal((await socket.closed).code, 1008);
});

test('audio that cannot be counted is refused, whoever has the budget', async (t) => {
  const uncountable = '/stt/websocket?model=ink-2&encoding=opus&sample_rate=16000';
  for (const [settings, quota] of [
    [{}, { client: '10/day' }],
    [{ limits: { quota: { audio_seconds: '10/day' } } }, {}],
  ]) {
    const running = await setUp(t, settings ?? {}, { limits: { mint: 'off', quota: { audio_seconds: quota } } });
    await t.rejects(open(t, running, uncountable), /400/);
    t.equal(running.simulator.journal.entries().length, 0);
  }
});

test('a client that leaves while it waits is not waited for, and upstream never hears of it', async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { stt: 1 } }, limits: { queue: { wait: 20 } } });
  const { broker, headers, simulator } = running;
  const holder = await openRawSocket(t, broker.url, STT_PATH, headers);
  for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
    const waiting = await openRaw(t, broker.url);
    waiting.send(handshake(broker.url, STT_PATH, headers));
    await until(() => broker.leases === 2);
    waiting.socket[leave]();
    await until(() => broker.leases === 1);
  }
  const patient = openRawSocket(t, broker.url, STT_PATH, headers);
  holder.socket.destroy();
  const last = await patient;
  t.equal(simulator.journal.entries().length, 2, 'the one that held it, and the one that waited for it');
  last.socket.destroy();
  await until(() => broker.leases === 0);
});

for (const how of ['terminate', 'close', 'refusal'] as const)
  test(`a waiting context gets a place only once Cartesia has one: ${how}`, async (t) => {
    const running = await setUp(
      t,
      { upstream: { concurrency: { tts: 4 } }, limits: { queue: { context_wait: 20 } } },
      { content: { max_transcript: 200 } },
    );
    running.simulator.configure({ limits: { tts: 4 }, latency: { perChunkMs: 50 }, chunkBytes: 4096 });
    const [holder, waiter] = await Promise.all([open(t, running), open(t, running)]);
    for (const name of ['a', 'b', 'c', 'd']) holder.send(speech(name, TEXT.repeat(4), { continue: true }));
    for (const name of ['a', 'b', 'c', 'd']) await holder.until((one) => one['context_id'] === name);
    for (const name of ['p', 'q', 'r', 's']) waiter.send(speech(name, 'Short.'));
    await until(() => running.broker.leases === 10);
    if (how === 'terminate') holder.socket.terminate();
    else if (how === 'close') holder.socket.close(1000);
    else for (const name of ['a', 'b', 'c', 'd']) holder.send(speech(name, 'x'.repeat(199)));
    for (let done = 0; done < 4; done += 1) {
      const { type } = await waiter.next(({ type }) => type === 'done' || type === 'error');
      t.equal(type, 'done');
    }
    t.equal(running.simulator.counters().tts.refused, 0);
  });

test('the lease of a client that leaves during the handshake is given back once upstream has noticed', async (t) => {
  const closed = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const url = await startRawUpstream(t, (socket) => {
    socket.once('close', () => closed.resolve());
    asked.resolve();
  });
  const running = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url, STT_CONCURRENCY: '1' } });
  const client = await openRaw(t, running.broker.url);
  client.send(handshake(running.broker.url, STT_PATH, running.headers));
  await asked.promise;
  client.socket.destroy();
  await closed.promise;
  t.equal(running.broker.leases, 1, 'to upstream it may still count');
  await until(() => running.broker.leases === 0);
});

test('a socket that waited for its lease is opened with the API key that is in use by then', async (t) => {
  const [first, second] = [makeCanary('first key', 'sk_car_'), makeCanary('second key', 'sk_car_')];
  const keyFile = join(t.testdir({ key: first.value }), 'key');
  const running = await startSocketBroker(t, {
    simulator: { apiKeys: [first.value, second.value] },
    file: (digest) => ({ limits: { queue: { wait: 20 } }, ...clientOf(digest) }),
    env: { CARTESIA_API_KEY: undefined, CARTESIA_API_KEY_FILE: keyFile, STT_CONCURRENCY: '1' },
  });
  for (const key of [first, second]) running.watch.add(key, 'sk_car_'.length);
  const holder = await open(t, running, STT_PATH);
  const waiting = open(t, running, STT_PATH);
  await until(() => running.broker.leases === 2);
  await writeFile(keyFile, second.value);
  running.broker.renewSecrets();
  await logged(running, ({ msg }) => msg === 'secret renewed');
  running.simulator.configure({ apiKeys: [second.value] });
  holder.socket.terminate();
  t.ok(await waiting);
});

test("Cartesia's 429 inside a socket lowers the leases given out, and text it refused is not charged", async (t) => {
  const quota = { characters: { subject: `${TEXT.length * 3}/month` } };
  const running = await setUp(
    t,
    { upstream: { concurrency: { tts: 4 } }, limits: { queue: { context_wait: 0 } } },
    { limits: { mint: 'off', quota } },
  );
  running.simulator.configure({ limits: { tts: 2 }, latency: { perChunkMs: 60_000 } });
  const socket = await open(t, running);
  for (const name of ['a', 'b']) {
    socket.send(speech(name, TEXT));
    await socket.next('chunk');
  }
  for (const [name, source] of [
    ['c', 'upstream'],
    ['d', 'broker'],
  ] as const) {
    socket.send(speech(name, TEXT));
    t.match(await socket.next('error'), { context_id: name, status_code: 429, source });
  }
  const values = await metricsOf(running.broker.managementUrl);
  t.equal(values.get('broker_lease_upstream_refusals_total{kind="tts"}'), 1);
  socket.socket.close(1000);
  t.match(await logged(running, ({ msg }) => msg === 'socket closed'), { characters: TEXT.length * 2 });
  t.ok(await open(t, running), 'there is budget left');
});

test("Cartesia's 429 to a socket lowers the leases given out", async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { stt: 4 } }, limits: { queue: { wait: 0 } } });
  running.simulator.configure({ limits: { stt: 0 } });
  await t.rejects(open(t, running, STT_PATH), /429/);
  const values = await metricsOf(running.broker.managementUrl);
  t.equal(values.get('broker_lease_upstream_refusals_total{kind="stt"}'), 1);
});

test('upstream resets: the lease is free within a second', async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { tts: 1 } } });
  const { simulator, broker } = running;
  simulator.configure({ latency: { perChunkMs: 60_000 } });
  simulator.faults.add({ match: {}, times: 1, action: { type: 'reset_socket', afterFrames: 1 } });
  const socket = await open(t, running);
  socket.send(speech('a', 'A sentence with more than one chunk, so that it stays unfinished.'));
  await socket.next('error');
  const startedMs = performance.now();
  await until(() => broker.leases === 0);
  t.ok(performance.now() - startedMs < 1000);
});

test('Redis is lost: a new socket gets 503, an open one lives on', async (t) => {
  const redis = await redisServer(t);
  const running = await startSocketBroker(t, {
    file: (digest) => ({ upstream: { concurrency: { tts: 2 } }, ...clientOf(digest) }),
    env: { REDIS_URL: redis.url.reveal() },
  });
  const socket = await open(t, running);
  await redis.kill();
  const connection = await openRaw(t, running.broker.url);
  const startedMs = performance.now();
  connection.send(handshake(running.broker.url, '/tts/websocket', running.headers));
  const { status, headers, json } = await connection.response();
  t.ok(performance.now() - startedMs < 250);
  t.match([status, json['error_code']], [503, 'store_unavailable']);
  t.ok(headers['retry-after']);
  socket.send({ context_id: 'a', cancel: true });
  socket.socket.ping();
  await once(socket.socket, 'pong');
});

test('each socket takes a slot of the kind that docs/endpoints.md names', async (t) => {
  const running = await setUp(t, { upstream: { concurrency: { tts: 1, stt: 1, agent: 1 } } });
  const { broker, headers } = running;
  for (const { path } of SOCKET_ENDPOINTS) {
    const named = path.replace(':id', '{id}');
    const row =
      endpointsPage()
        .split('\n')
        .find((line) => line.startsWith(`| \`WS ${named}\``)) ?? '';
    const [documented] = row.split(' | ')[3]?.split(',') ?? [];
    const query = path.startsWith('/stt') ? STT_PATH.slice(STT_PATH.indexOf('?')) : '';
    const { socket } = await openRawSocket(t, broker.url, `${path.replace(':id', 'agent_a')}${query}`, headers);
    const metrics = await broker.metrics.registry.metrics();
    const held = [...metrics.matchAll(/broker_leases_held\{kind="(\w+)",client="kiosk"\} 1/g)].map(([, kind]) => kind);
    t.strictSame(held, [documented], path);
    socket.destroy();
    await until(() => broker.leases === 0);
  }
});
