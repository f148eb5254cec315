// Ends of a socket that are nobody's fault: time, silence, a dead peer, a shutdown; and many sudden ones.
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { makeTextFrame } from '../../src/proxy/websocket/frames/frame.ts';
import { openRaw } from './raw-connection.ts';
import { closeFrameOf, frameOf, handshake, openRawSocket } from './raw-socket.ts';
import { clientOf, logged, type SocketBroker, STT_PATH, speech, startSocketBroker } from './socket-broker.ts';
import { startRawUpstream, switching } from './socket-upstream.ts';

const LONG = 'A sentence with more than one chunk, so that it stays unfinished.';

async function mint({ broker, appKey }: SocketBroker, body: object): Promise<string> {
  const response = await fetch(`${broker.url}/access-token`, {
    method: 'POST',
    headers: { authorization: `Bearer ${appKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return String(((await response.json()) as Record<string, unknown>)['token']);
}

function startFor(t: Test, sockets: object, relays: object = {}): Promise<SocketBroker> {
  return startSocketBroker(t, {
    simulator: { plan: 'scale', settings: { latency: { perChunkMs: 60_000 } } },
    file: (digest) => clientOf(digest, { sockets }),
    seams: { relays: { tickMs: 20, ...relays } },
  });
}

test('if the operator wants it, a socket ends with its token: errors first, then 1008', async (t) => {
  const running = await startFor(t, { end_with_token: true });
  const token = await mint(running, { expires_in: 3 });
  const socket = await openRawSocket(t, running.broker.url, `/tts/websocket?access_token=${token}`, {});
  socket.send(frameOf(1, speech('a', LONG)));
  t.match(await socket.event(), { type: 'chunk' });
  t.match(await socket.event(5000), {
    type: 'error',
    context_id: 'a',
    status_code: 401,
    error_code: 'token_expired',
    done: true,
  });
  t.strictSame(await socket.closing(), { code: 1008, reason: 'token_expired' });
  const entry = await running.simulator.journal.waitFor({ path: '/tts/websocket' });
  t.ok(entry.frames.some(({ text = '' }) => text.includes('"cancel":true')));

  const once = await mint(running, { expires_in: 2, single_use: true });
  const other = await openRawSocket(t, running.broker.url, `/tts/websocket?access_token=${once}`, {});
  await delay(2200);
  other.send(frameOf(1, speech('b', LONG)));
  t.match(await other.event(), { type: 'chunk' }, 'a single-use token is for opening only');
});

test('a session has a maximum duration', async (t) => {
  const { broker, headers } = await startFor(t, { max_duration: 1 });
  const socket = await openRawSocket(t, broker.url, STT_PATH, headers);
  t.match(await socket.event(), { type: 'error', error_code: 'session_ended' });
  t.strictSame(await socket.closing(), { code: 1001, reason: 'session_ended' });
});

test('a silent socket is closed as at Cartesia; one that is generating is not', async (t) => {
  const { broker, headers } = await startFor(t, { idle: 1 });
  const silent = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  const busy = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  busy.send(frameOf(1, speech('a', LONG)));
  t.match(await busy.event(), { type: 'chunk' });
  const keep = setInterval(() => silent.send(frameOf(9, 'a ping is no word')), 100);
  t.strictSame(await silent.closing(), { code: 1000, reason: 'connection idle timeout' });
  clearInterval(keep);
  silent.send(closeFrameOf(1000));
  busy.send(frameOf(9, 'still here?'));
  let pong = await busy.frame();
  while (pong.opcode !== 10) pong = await busy.frame();
  t.equal(pong.payload.toString(), 'still here?');
});

test('transcription without audio is idle, whatever else is sent', async (t) => {
  const { broker, headers } = await startFor(t, { idle: 1 });
  const manual = await openRawSocket(t, broker.url, STT_PATH, headers);
  const turns = await openRawSocket(t, broker.url, STT_PATH.replace('/stt/', '/stt/turns/'), headers);
  const config = JSON.stringify({ type: 'config', turn: { end_timeout_ms: 5600 } });
  const start = performance.now();
  const timer = setInterval(() => {
    manual.send(frameOf(1, 'finalize'));
    turns.send(frameOf(1, config));
    if (performance.now() - start > 3000) clearInterval(timer);
  }, 100);
  t.teardown(() => clearInterval(timer));
  for (const socket of [manual, turns])
    t.strictSame(await socket.closing(), { code: 1000, reason: 'connection idle timeout' });
  t.ok(performance.now() - start < 3000, 'while messages were still being sent');
});

test('a client that keeps sending audio is never idle, nor is one that was just spoken to', async (t) => {
  const listening = await startFor(t, { idle: 1 }, { tickMs: 1000 });
  const stt = await openRawSocket(t, listening.broker.url, STT_PATH, listening.headers);
  const audio = setInterval(() => stt.send(frameOf(2, Buffer.alloc(3200))), 100);
  t.teardown(() => clearInterval(audio));

  const speaking = await startSocketBroker(t, {
    simulator: { plan: 'scale', settings: { latency: { perChunkMs: 300 } } },
    file: (digest) => clientOf(digest, { sockets: { idle: 1 } }),
    seams: { relays: { tickMs: 20 } },
  });
  const tts = await openRawSocket(t, speaking.broker.url, '/tts/websocket', speaking.headers);
  const start = performance.now();
  tts.send(frameOf(1, speech('a', LONG.repeat(2))));
  while ((await tts.event())['type'] === 'chunk');
  const end = performance.now();
  t.ok(end - start > 1000, 'it spoke for longer than the idle limit');
  t.strictSame(await tts.closing(), { code: 1000, reason: 'connection idle timeout' });
  const silence = performance.now() - end;
  t.ok(silence > 900, `${silence} ms`);

  await delay(Math.max(0, 3300 - (performance.now() - start))); // three ticks have passed
  clearInterval(audio);
  stt.send(frameOf(9, 'still here?'));
  for (;;) {
    const { opcode, payload } = await stt.frame();
    if (opcode === 9) continue;
    t.match([opcode, payload.toString()], [10, 'still here?']);
    break;
  }
});

test('pings to both sides: a dead peer is found within two intervals, a living one stays', async (t) => {
  const running = await startFor(t, {}, { times: { pingMs: 200, closeMs: 100 } });
  const { broker, headers, simulator } = running;
  const dead = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  const start = performance.now();
  t.equal((await dead.frame()).opcode, 9, 'a ping, which this client does not answer');
  await dead.ended();
  t.ok(performance.now() - start < 1500);
  await logged(running, ({ outcome }) => outcome === 'dead_peer');

  simulator.faults.add({ match: {}, times: 1, action: { type: 'hang_socket', afterFrames: 0 } });
  const living = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  const answer = async (): Promise<void> => {
    for (;;) {
      const { opcode, payload } = await living.frame(5000);
      if (opcode === 9) living.send(frameOf(10, payload));
      if (opcode === 8) {
        t.equal(payload.readUInt16BE(0), 1011);
        return;
      }
    }
  };
  await answer();
  await logged(running, ({ outcome }) => outcome === 'upstream_timeout');

  const both = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  for (let pings = 0; pings < 5; ) {
    const { opcode, payload } = await both.frame();
    if (opcode !== 9) continue;
    pings += 1;
    both.send(frameOf(10, payload));
  }
  const entry = simulator.journal.entries().at(-1);
  t.equal(entry?.outcome, 'open');
  t.ok((entry?.frames.filter(({ kind, from }) => kind === 'ping' && from === 'client').length ?? 0) >= 4);
});

test('a shutdown: idle sockets close at once with 1012, busy ones finish, the rest get errors first', async (t) => {
  const running = await startSocketBroker(t, {
    file: (digest) => ({ ...clientOf(digest), listen: { drain_deadline: 3, drain_delay: 0 } }),
    simulator: { plan: 'scale', settings: { latency: { perChunkMs: 20 }, idle: { contextMs: 60_000 } } },
    seams: { relays: { tickMs: 20 } },
  });
  const { broker, headers, simulator } = running;
  const idle = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  const finishing = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  finishing.send(frameOf(1, speech('a', LONG)));
  t.match(await finishing.event(), { type: 'chunk' });
  const stuck = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  stuck.send(frameOf(1, speech('b', 'And so on, ', { continue: true, max_buffer_delay_ms: 0 })));
  t.match(await stuck.event(), { type: 'chunk' });

  const stopped = broker.stop({ delayMs: 0 });
  t.strictSame(await idle.closing(), { code: 1012, reason: 'draining' });
  idle.send(closeFrameOf(1012));
  let event = await finishing.event();
  while (event['type'] === 'chunk') event = await finishing.event();
  t.equal(event['type'], 'done', 'what was begun is finished');
  t.equal((await finishing.closing()).code, 1012);
  finishing.send(closeFrameOf(1012));
  let last = await stuck.event(4000);
  while (last['type'] === 'chunk') last = await stuck.event(4000);
  t.match(last, { type: 'error', context_id: 'b', status_code: 503, error_code: 'draining' });
  t.equal((await stuck.closing()).code, 1012);
  await stopped;
  t.equal(simulator.counters().ttsSockets.active, 0);
});

test('most of the drain deadline, even a short one, is for finishing', async (t) => {
  const upstreams: Socket[] = [];
  const url = await startRawUpstream(t, (socket, accept) => {
    upstreams.push(socket);
    socket.write(switching(accept));
  });
  const { broker, headers } = await startSocketBroker(t, {
    env: { CARTESIA_BASE_URL: url },
    file: (digest) => ({ ...clientOf(digest), listen: { drain_deadline: 1, drain_delay: 0 } }),
  });
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.send(frameOf(1, speech('a', 'Soon over.')));
  await delay(50);
  const stopped = broker.stop({ delayMs: 0 });
  await delay(400);
  upstreams[0]?.write(makeTextFrame(JSON.stringify({ type: 'done', done: true, context_id: 'a' }), false));
  t.match(await socket.event(), { type: 'done' });
  t.strictSame(await socket.closing(), { code: 1012, reason: 'draining' });
  socket.send(closeFrameOf(1012));
  await stopped;
});

test('during a shutdown, an upgrade on a connection that is still open gets 503', async (t) => {
  const { broker, headers, simulator } = await startSocketBroker(t);
  const connection = await openRaw(t, broker.url);
  connection.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.equal((await connection.response()).status, 200);
  const stopped = broker.stop({ delayMs: 0 });
  connection.send(handshake(broker.url, '/tts/websocket', headers));
  const refused = await connection.response();
  t.match([refused.status, refused.json['error_code']], [503, 'draining']);
  t.match(refused.headers, { 'retry-after': '1' });
  connection.socket.destroy();
  await stopped;
  t.equal(simulator.journal.entries().length, 0);
});

test('a thousand clients that vanish at any moment leave nothing behind', async (t) => {
  const running = await startSocketBroker(t, {
    env: { TTS_CONCURRENCY: '10000', STT_CONCURRENCY: '10000' },
    simulator: {
      plan: 'scale',
      settings: { limits: { tts: 10_000, stt: 10_000, ttsSockets: 10_000 }, journal: { frames: false } },
    },
  });
  const { broker, headers, simulator } = running;
  let seed = 42;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  const leave = (socket: Socket): unknown => (random() < 0.5 ? socket.resetAndDestroy() : socket.destroy());
  /** Leaves within the request, while it is being decided, or while upstream is being connected. */
  const vanishUnopened = async (path: string): Promise<void> => {
    const text = handshake(broker.url, path, headers);
    const isWhole = random() < 0.8;
    const { socket } = await openRaw(t, broker.url);
    await new Promise((resolve) => socket.write(isWhole ? text : text.slice(0, text.length * random()), resolve));
    if (random() < 0.8) await delay(random() * 4);
    leave(socket);
  };
  let opened = 0;
  const vanish = async (n: number): Promise<void> => {
    const isTts = n % 2 === 0;
    const path = isTts ? '/tts/websocket' : STT_PATH;
    if (n % 5 === 0) return vanishUnopened(path);
    const { socket, send } = await openRawSocket(t, broker.url, path, headers);
    if (isTts) opened += 1;
    if (random() < 0.8) {
      const bytes = isTts
        ? frameOf(1, speech('a', LONG, { continue: random() < 0.5 }))
        : frameOf(2, Buffer.alloc(3200));
      // Often in the middle of a frame.
      send(bytes.subarray(0, Math.ceil(random() * 1.5 * bytes.length)));
    }
    if (random() < 0.7) await delay(random() * 15);
    leave(socket);
  };
  for (let n = 0; n < 1000; n += 20) await Promise.all(Array.from({ length: 20 }, (_, i) => vanish(n + i)));

  const deadline = performance.now() + 5000;
  const isClean = (): boolean => {
    const { tts, stt, ttsSockets } = simulator.counters();
    return tts.active === 0 && stt.active === 0 && ttsSockets.active === 0 && broker.leases === 0;
  };
  while (!isClean() && performance.now() < deadline) await delay(20);
  t.ok(isClean(), JSON.stringify([simulator.counters(), broker.leases]));
  const { granted } = simulator.counters().ttsSockets;
  t.equal(opened, 400);
  t.ok(granted >= opened && granted < 500, `${granted}: Cartesia is not asked for an incomplete upgrade`);
  const metrics = await broker.metrics.registry.metrics();
  t.match(metrics, /broker_sockets_open\{endpoint="\/tts\/websocket"\} 0\n/);
  t.match(metrics, /broker_sockets_open\{endpoint="\/stt\/websocket"\} 0\n/);
});
