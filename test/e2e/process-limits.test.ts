// A process at its limits of memory, file descriptors and time, and its shutdown under full traffic. Real processes.
import { once } from 'node:events';
import { Agent, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import tap, { type Test, test } from 'tap';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { redisServer } from '../store/redis-server.ts';
import { type Answer, open, type SendOptions, SPEECH, send, until } from './carried-broker.ts';
import { problemOf } from './limits-answers.ts';
import { closeFrameOf, frameOf, openRawSocket } from './raw-socket.ts';
import { type ServeOptions, type ServeProcess, serveProcess } from './serve-process.ts';
import { speech } from './socket-broker.ts';

tap.setTimeout(300_000); // half a minute on an otherwise idle machine

const CRASH = fileURLToPath(new URL('crash-on-message.ts', import.meta.url));

interface Served extends ServeProcess {
  readonly simulator: Simulator;
  readonly url: string;
  readonly managementUrl: string;
  /** An app key. */
  readonly credential: string;
  ask(path: string, options?: SendOptions): Promise<Answer>;
  /** A response up to its head. */
  begin(path: string, options?: SendOptions): Promise<IncomingMessage>;
}

async function serve(t: Test, options: Partial<ServeOptions>): Promise<Served> {
  const simulator = await startSimulator({ tlsPort: null, plan: 'scale', settings: { limits: { tts: 5_000 } } });
  t.teardown(() => simulator.close());
  const appKey = createAppKey();
  const served = serveProcess(t, {
    ...options,
    env: {
      CARTESIA_API_KEY: simulator.apiKey,
      CARTESIA_BASE_URL: simulator.url,
      CARTESIA_ALLOW_INSECURE: 'true',
      CLIENT_KEYS: `kiosk=sha256:${appKeyDigest(appKey)}`,
      MINT_RATE: 'off',
      MINT_RATE_PER_IP: 'off',
      PROXY: 'true',
      PORT: '0',
      MANAGEMENT_PORT: '0',
      ...options.env,
    },
  });
  const { url, managementUrl } = await served.listening;
  const with_ = (more: SendOptions = {}): SendOptions => ({ credential: appKey, json: SPEECH, ...more });
  return {
    ...served,
    simulator,
    url,
    managementUrl,
    credential: appKey,
    ask: (path, more) => send(url + path, with_(more)),
    begin: (path, more) => open(url + path, with_(more)),
  };
}

const readyz = async ({ managementUrl }: Served): Promise<number> => (await send(`${managementUrl}/readyz`)).status;

test('a small heap, large bodies and stalled readers: 503 before the limit, no crash, then recovery', async (t) => {
  // Half of what the smallest container has: 350 bodies fill it, while a test machine would take long to send 1,000.
  const served = await serve(t, { nodeOptions: ['--max-old-space-size=128'] });
  const { simulator, ask, begin } = served;
  const staring = await Promise.all(
    Array.from({ length: 50 }, () =>
      begin('/tts/bytes', { json: { ...SPEECH, transcript: SPEECH.transcript.repeat(60) } }),
    ),
  );
  simulator.configure({ latency: { firstByteMs: 60_000 } });
  const body = Buffer.from(JSON.stringify({ ...SPEECH, transcript: 'a'.repeat(240_000) }));
  const large = { json: undefined, body, headers: { 'content-type': 'application/json' } };
  const statuses = new Map<number, number>();
  const waiting = new Set<Promise<unknown>>();
  const gone = new AbortController();
  let refused: Answer | null = null;
  for (let sent = 0; sent < 3_000 && refused === null; sent += 1) {
    const call = ask('/tts/bytes', { ...large, signal: gone.signal }).then(
      (answer) => {
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status === 503) refused ??= answer;
      },
      () => {},
    );
    waiting.add(call);
    if (sent % 2 === 0) await sleep(10); // so that they arrive rather than wait here
  }
  t.comment(`${waiting.size} bodies; ${JSON.stringify([...statuses])}`);
  const first = await until(() => refused, 'refusal');
  t.equal(problemOf(first).error_code, 'overloaded');
  t.equal(first.headers['retry-after'], '2');
  t.equal(await readyz(served), 503);
  gone.abort();
  for (const response of staring) response.destroy();
  await Promise.all(waiting);
  simulator.configure({ latency: { firstByteMs: 0 } });
  // V8 collects garbage only some eight seconds after the last allocation.
  for (let tries = 0; (await readyz(served)) !== 200 && tries < 600; tries += 1) await sleep(50);
  t.equal((await ask('/tts/bytes')).status, 200);
  t.equal(served.child.exitCode, null, 'the same process');
});

test('no file descriptor is left: connected clients are served, new ones turned away at once, recovery within a second', async (t) => {
  const served = await serve(t, { openFiles: 64 });
  const { url, ask } = served;
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => kept.destroy());
  t.equal((await ask('/tts/bytes', { agent: kept })).status, 200); // its connection, and one to upstream, are kept
  const { port } = new URL(url);
  const ends: number[] = [];
  const idle: Socket[] = [];
  for (let n = 0; n < 100; n += 1) {
    const start = performance.now();
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => ends.push(performance.now() - start));
    socket.resume();
    t.teardown(() => socket.destroy());
    idle.push(socket);
    await once(socket, 'connect');
  }
  await until(() => ends.length > 30, 'end of those for which there is no descriptor');
  t.ok(Math.max(...ends) < 1_000, `${Math.round(Math.max(...ends))} ms`);
  t.ok(ends.length < 100, `${100 - ends.length} are connected`);
  t.equal((await ask('/tts/bytes', { agent: kept })).status, 200, 'a client that was connected before');

  for (const socket of idle) socket.destroy();
  const start = performance.now();
  let answer: Answer | null = null;
  while (answer === null && performance.now() - start < 5_000) answer = await ask('/tts/bytes').catch(() => null);
  t.equal(answer?.status, 200);
  t.ok(performance.now() - start < 1_000, `after ${Math.round(performance.now() - start)} ms`);
  t.equal(served.stderr(), '');
});

/** Connections that send nothing. @returns how many of them the other side has ended, and a way to end the rest */
async function crowd(t: Test, url: string, count: number): Promise<{ readonly ended: () => number; leave(): void }> {
  const sockets: Socket[] = [];
  let ended = 0;
  for (let n = 0; n < count; n += 1) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket
      .on('error', () => {})
      .on('close', () => {
        ended += 1;
      });
    t.teardown(() => socket.destroy());
    sockets.push(socket.resume());
    await once(socket, 'connect');
  }
  return {
    ended: () => ended,
    leave() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

test('a crowd that only connects leaves descriptors for health, metrics and Cartesia', async (t) => {
  const served = await serve(t, { openFiles: 200 });
  const { url, managementUrl, ask } = served;
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => kept.destroy());
  t.equal((await send(`${url}/livez`, { agent: kept })).status, 200);
  const { ended } = await crowd(t, url, 260);
  await until(() => ended() > 150, 'end of those for whom there is no place');
  t.equal((await send(`${managementUrl}/livez`)).status, 200);
  t.equal(await readyz(served), 200);
  t.equal((await ask('/access-token', { json: {}, agent: kept })).status, 200, 'over a new connection to Cartesia');
  t.equal((await ask('/tts/bytes', { agent: kept })).status, 200);
  const metrics = (await send(`${managementUrl}/metrics`)).body.toString();
  t.match(metrics, new RegExp(`^broker_connections_turned_away_total ${ended()}$`, 'm'));
  t.strictSame(
    served
      .logs()
      .filter(({ level }) => level === 'warn')
      .map(({ msg, connections_max: max }) => [msg, max]),
    [['connection limit reached: further clients are turned away', 52]],
    'logged once',
  );
});

test('no file descriptor is left, through no fault of clients: 503, Cartesia is not blamed, and recovery at once', async (t) => {
  const served = await serve(t, { openFiles: 128 });
  const { url, managementUrl, ask, child } = served;
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => kept.destroy());
  t.equal((await send(`${url}/livez`, { agent: kept })).status, 200);
  const { ended, leave } = await crowd(t, managementUrl, 160);
  await until(() => ended() > 30, 'end of those for whom there is no descriptor');
  const mint = (): Promise<Answer> => ask('/access-token', { json: {}, agent: kept });
  for (let n = 0; n < 6; n += 1) {
    for (const answer of [await mint(), await ask('/tts/bytes', { agent: kept })]) {
      t.strictSame([answer.status, problemOf(answer).error_code], [503, 'overloaded']);
      t.equal(answer.headers['retry-after'], '1');
    }
  }
  await sleep(600); // memory is checked twice in the meantime, which takes a descriptor
  t.equal(child.exitCode, null, 'the process survives');
  leave();
  await until(() => ended() === 160, 'end of all');
  t.equal((await mint()).status, 200, 'the circuit has not opened');
  t.equal((await send(`${managementUrl}/livez`)).status, 200);
});

test('the event loop is blocked for three seconds: not ready right after, ready soon, and leases hold', async (t) => {
  const redis = await redisServer(t);
  const served = await serve(t, {
    nodeOptions: ['--import', CRASH],
    env: { TTS_CONCURRENCY: '1', REDIS_URL: redis.url.reveal() },
  });
  const { child, simulator, ask, begin } = served;
  t.equal(await readyz(served), 200);
  simulator.configure({ latency: { perChunkMs: 1_400 } });
  const stream = await begin('/tts/bytes');
  stream.resume();
  child.send({ blockMs: 3_000 });
  await once(child, 'message');
  const start = performance.now();
  t.equal(await readyz(served), 503, 'the first answer afterwards');
  t.ok(performance.now() - start > 2_500, 'which took that long');
  const refused = await ask('/tts/bytes');
  t.strictSame(
    [refused.status, problemOf(refused).error_code],
    [429, 'concurrency_limited'],
    'its lease is not given away',
  );
  t.equal(simulator.counters().tts.highWater, 1);
  const back = performance.now();
  while ((await readyz(served)) !== 200 && performance.now() - back < 5_000) await sleep(20);
  t.ok(performance.now() - back < 3_000);
  simulator.configure({ latency: { perChunkMs: 0 } });
  await once(stream, 'close');
  t.ok(stream.complete, 'the running stream goes on');
  t.equal((await ask('/tts/bytes')).status, 200);
  t.strictSame(
    served
      .logs()
      .filter(({ msg }) => /overloaded/.test(String(msg)))
      .map(({ msg, reason }) => [msg, reason]),
    [
      ['overloaded', 'event_loop'],
      ['no longer overloaded', undefined],
    ],
  );
});

test('SIGTERM amid requests, event streams and sockets: none fails, each socket gets its close frame, exit 0', async (t) => {
  const directory = t.testdir({ 'broker.json': JSON.stringify({ listen: { drain_delay: 1, drain_deadline: 10 } }) });
  const served = await serve(t, { env: { TTS_CONCURRENCY: '500', BROKER_CONFIG: join(directory, 'broker.json') } });
  const { child, simulator, url, ask, begin, credential } = served;
  const headers = { Authorization: `Bearer ${credential}`, 'Cartesia-Version': '2026-08-14' };
  simulator.configure({ latency: { perChunkMs: 300 } });
  const streams = await Promise.all(
    Array.from({ length: 20 }, (_, n) => begin('/tts/sse', { json: { ...SPEECH, context_id: `stream-${n}` } })),
  );
  const whole = streams.map(async (stream) => Buffer.concat(await stream.toArray()).toString());
  const sockets = await Promise.all(Array.from({ length: 20 }, () => openRawSocket(t, url, '/tts/websocket', headers)));
  const isSpeaking = (n: number): boolean => n % 2 === 0;
  const ends = sockets.map(async (socket, n) => {
    if (isSpeaking(n)) {
      socket.send(frameOf(1, speech(`socket-${n}`, SPEECH.transcript)));
      let event = await socket.event(8_000);
      while (event['type'] === 'chunk') event = await socket.event(8_000);
      t.equal(event['type'], 'done', 'what was begun is finished');
    }
    let frame = await socket.frame(8_000);
    while (frame.opcode !== 8) frame = await socket.frame(8_000);
    socket.send(closeFrameOf(1012));
    return frame.payload.readUInt16BE(0);
  });
  const requests: Promise<number>[] = [];
  const short = { ...SPEECH, transcript: 'Hi.' };
  let lastMs = Number.POSITIVE_INFINITY;
  for (let n = 0; performance.now() < lastMs; n += 1) {
    requests.push(
      (n % 2 === 0 ? ask('/access-token', { json: {} }) : ask('/tts/bytes', { json: short })).then(
        ({ status, isComplete }) => (isComplete ? status : 0),
        () => -1,
      ),
    );
    if (n === 50) {
      child.kill('SIGTERM');
      await served.logged('stopping');
      lastMs = performance.now() + 600; // a load balancer's reaction, within the delay
    }
    await sleep(10);
  }
  t.strictSame([...new Set(await Promise.all(requests))], [200], `${requests.length} requests`);
  for (const text of await Promise.all(whole)) t.match(text, /"type":"done"/);
  t.strictSame([...new Set(await Promise.all(ends))], [1012]);
  t.strictSame(await served.ended, { code: 0, signal: null });
  t.equal(served.stderr(), '');
  await until(() => simulator.counters().openConnections === 0, 'end of every connection to Cartesia');
  t.equal(simulator.counters().tts.active, 0);
});
