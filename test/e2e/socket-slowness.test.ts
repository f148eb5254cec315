// Sides that stop reading, and an upstream that opens in drips: nothing waits for ever, and nothing is buffered without bounds.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'tap';
import { makeFrame, makeTextFrame } from '../../src/proxy/websocket/frames/frame.ts';
import { until } from './limits-answers.ts';
import { closeFrameOf, frameOf, openRawSocket } from './raw-socket.ts';
import { clientOf, logged, STT_PATH, speech, startSocketBroker } from './socket-broker.ts';
import { startRawUpstream, switching } from './socket-upstream.ts';

const STALL = { seams: { relays: { tickMs: 20, times: { stallMs: 300, clientStallMs: 300, closeMs: 200 } } } };
/** More than all kernel buffers between a writer and a reader on loopback hold. */
const KERNEL_MAX_BYTES = 16 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;

/** Writes until no more is taken. @returns how many bytes were */
async function fill(socket: Socket, frame: Buffer): Promise<number> {
  let bytes = 0;
  for (;;) {
    bytes += frame.length;
    if (socket.write(frame)) continue;
    const isTaken = await Promise.race([
      once(socket, 'drain').then(() => true),
      once(socket, 'close').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(resolve, 150, false)),
    ]);
    if (!isTaken) return bytes;
  }
}

/** Sends the bytes again and again. @returns whether the connection was ended for it, long before the stall limit could have done so */
async function floods(socket: Socket, bytes: Buffer): Promise<boolean> {
  const startMs = performance.now();
  while (!socket.destroyed && performance.now() - startMs < 10_000) {
    if (socket.write(bytes)) continue;
    const turn = new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.race([once(socket, 'drain'), once(socket, 'close'), turn]).catch(() => {});
  }
  return socket.destroyed;
}

test('a client that stops reading: upstream is paused, the client cut after the stall limit, and upstream released', async (t) => {
  const filled = Promise.withResolvers<number>();
  const gone = Promise.withResolvers<void>();
  const frame = makeTextFrame(JSON.stringify({ type: 'chunk', data: 'A'.repeat(16_000) }), false);
  const url = await startRawUpstream(t, (socket, accept) => {
    socket.write(switching(accept));
    socket.on('close', () => gone.resolve());
    fill(socket, frame).then(filled.resolve, filled.reject);
  });
  const running = await startSocketBroker(t, {
    ...STALL,
    env: { CARTESIA_BASE_URL: url, STT_CONCURRENCY: '1' },
  });
  const client = await openRawSocket(t, running.broker.url, STT_PATH, running.headers);
  client.socket.pause();
  t.ok((await filled.promise) < KERNEL_MAX_BYTES, 'no more was taken than the kernel may hold');
  t.match(await logged(running, ({ msg }) => msg === 'socket closed'), {
    outcome: 'aborted',
    close_code: 1006,
    closed_by: 'broker',
  });
  await gone.promise;
  await until(() => running.broker.leases === 0);
});

test('a client that is behind when its socket ends still gets everything, its error and the close frame', async (t) => {
  const filled = Promise.withResolvers<number>();
  const frame = makeTextFrame(JSON.stringify({ type: 'chunk', data: 'A'.repeat(16_000) }), false);
  const url = await startRawUpstream(t, (socket, accept) => {
    socket.write(switching(accept));
    fill(socket, frame).then(filled.resolve, filled.reject);
  });
  const running = await startSocketBroker(t, {
    seams: { relays: { tickMs: 20, times: { closeMs: 50 } } },
    file: (digest) => clientOf(digest, { sockets: { max_duration: 2 } }),
    env: { CARTESIA_BASE_URL: url },
  });
  const client = await openRawSocket(t, running.broker.url, '/tts/websocket', running.headers);
  client.send(frameOf(1, speech('a', 'Hello.')));
  client.socket.pause();
  await filled.promise;
  t.match(await logged(running, ({ msg }) => msg === 'socket closed'), { outcome: 'session_ended', close_code: 1001 });
  await delay(500); // ten times as long as a client has that reads
  client.socket.resume();
  let event = await client.event();
  while (event['type'] === 'chunk') event = await client.event();
  t.match(event, { type: 'error', context_id: 'a', error_code: 'session_ended' });
  t.match(await client.closing(), { code: 1001 });
  client.send(closeFrameOf(1001));
  await client.ended();
});

test('an upstream that stops reading: the client is paused, then told, and closed with 1011', async (t) => {
  const url = await startRawUpstream(t, (socket, accept) => {
    socket.write(switching(accept));
    socket.pause();
  });
  const running = await startSocketBroker(t, {
    ...STALL,
    env: { CARTESIA_BASE_URL: url, STT_CONCURRENCY: '1' },
  });
  const client = await openRawSocket(t, running.broker.url, STT_PATH, running.headers);
  const event = client.event(10_000);
  t.ok((await fill(client.socket, frameOf(2, Buffer.alloc(MEGABYTE / 4)))) < KERNEL_MAX_BYTES + MEGABYTE);
  t.match(await event, { type: 'error', status_code: 504, error_code: 'upstream_timeout' });
  t.strictSame(await client.closing(), { code: 1011, reason: 'upstream takes nothing' });
  await until(() => running.broker.leases === 0);
});

test('an upstream that answers the handshake in drips: 504 at the total deadline, however often bytes arrive', async (t) => {
  const url = await startRawUpstream(t, (socket, accept) => {
    const text = switching(accept);
    let at = 0;
    const timer = setInterval(() => socket.write(text.slice(at, ++at)), 20);
    socket.on('close', () => clearInterval(timer));
  });
  const running = await startSocketBroker(t, {
    seams: { socketHandshakeMs: 400 },
    env: { CARTESIA_BASE_URL: url },
  });
  const startedMs = performance.now();
  const opening = openRawSocket(t, running.broker.url, STT_PATH, running.headers);
  await t.rejects(opening, /HTTP\/1\.1 504 [\s\S]*"upstream_timeout"/);
  const ms = performance.now() - startedMs;
  t.ok(ms > 350 && ms < 1400, `${ms} ms`);
});

test('a side that half-closes has closed: a WebSocket has no half-open state', async (t) => {
  const upstreams: Socket[] = [];
  const url = await startRawUpstream(t, (socket, accept) => {
    upstreams.push(socket);
    socket.write(switching(accept));
  });
  const running = await startSocketBroker(t, { ...STALL, env: { CARTESIA_BASE_URL: url, STT_CONCURRENCY: '2' } });
  const open = () => openRawSocket(t, running.broker.url, STT_PATH, running.headers);
  const leaving = await open();
  const [upstream] = upstreams;
  leaving.socket.end();
  await leaving.ended();
  if (upstream !== undefined && !upstream.readableEnded) await once(upstream, 'end');
  t.equal(upstream?.readableEnded, true, 'upstream is released');

  const left = await open();
  upstreams[1]?.end();
  t.match(await left.event(), { type: 'error', error_code: 'upstream_unavailable' });
  t.strictSame(await left.closing(), { code: 1011, reason: 'upstream connection lost' });
  left.send(closeFrameOf(1011));
  await left.ended();
  await until(() => running.broker.leases === 0);
});

test('a side that makes the broker answer and reads no answers is cut, wherever these wait', async (t) => {
  const opened: Socket[] = [];
  const url = await startRawUpstream(t, (socket, accept) => {
    opened.push(socket);
    socket.write(switching(accept));
  });
  const running = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url, STT_CONCURRENCY: '9' } });
  const open = async (): Promise<{ readonly client: Socket; readonly upstream: Socket }> => {
    const { socket: client } = await openRawSocket(t, running.broker.url, STT_PATH, running.headers);
    const upstream = opened.at(-1) ?? client;
    return { client, upstream };
  };
  const asked = Buffer.concat(Array.from({ length: 500 }, () => makeFrame(9, Buffer.alloc(125), false)));
  const asking = Buffer.concat(Array.from({ length: 500 }, () => frameOf(9, Buffer.alloc(125))));

  const { upstream } = await open();
  upstream.pause();
  t.ok(await floods(upstream, asked), 'an upstream that does not read');

  const inAudio = await open();
  inAudio.client.write(frameOf(2, Buffer.alloc(MEGABYTE)).subarray(0, 1000));
  await once(inAudio.upstream, 'data');
  t.ok(await floods(inAudio.upstream, asked), 'an upstream, while a frame of the client is under way');

  const inAnswer = await open();
  inAnswer.upstream.write(makeFrame(2, Buffer.alloc(MEGABYTE), false).subarray(0, 1000));
  await once(inAnswer.client, 'data');
  t.ok(await floods(inAnswer.client, asking), 'a client, while a frame of upstream is under way');
  await until(() => running.broker.leases === 0);
});

test('every ping of a client that reads is answered, however many come at once', async (t) => {
  const url = await startRawUpstream(t, (socket, accept) => void socket.write(switching(accept)));
  const running = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  const client = await openRawSocket(t, running.broker.url, STT_PATH, running.headers);
  const count = 10_000;
  client.send(Buffer.concat(Array.from({ length: count }, () => frameOf(9))));
  let pongs = 0;
  while (pongs < count && (await client.frame()).opcode === 10) pongs += 1;
  t.equal(pongs, count);
});
