// Sides that take nothing, and an upstream that opens in drips: nothing waits for ever, and nothing is held without bounds.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'tap';
import { makeTextFrame } from '../../src/proxy/websocket/frames/frame.ts';
import { until } from './limits-answers.ts';
import { closeFrameOf, frameOf, openRawSocket } from './raw-socket.ts';
import { logged, STT_PATH, startSocketBroker } from './socket-broker.ts';
import { startRawUpstream, switching } from './socket-upstream.ts';

const STALL = { seams: { relays: { tickMs: 20, times: { stallMs: 300, closeMs: 200 } } } };
/** Of all the kernel buffers between a writer and a reader on loopback. */
const KERNEL_MAX_BYTES = 16 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;

/** Writes until nothing more is taken. @returns how much was */
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

test('a client that takes nothing: upstream is held, the client is cut after the stall limit, and upstream let go', async (t) => {
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
  t.ok((await filled.promise) < KERNEL_MAX_BYTES, 'no more was taken than the kernel holds, and a megabyte');
  t.match(await logged(running, ({ msg }) => msg === 'socket closed'), {
    outcome: 'aborted',
    close_code: 1006,
    closed_by: 'broker',
  });
  await gone.promise;
  await until(() => running.broker.leases === 0);
});

test('an upstream that takes nothing: the client is held, then told, and closed with 1011', async (t) => {
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

test('an upstream that answers the handshake in drips: 504 at the deadline of the whole, however often something comes', async (t) => {
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

test('a side that half closes has closed: a WebSocket has no half', async (t) => {
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
  t.equal(upstream?.readableEnded, true, 'upstream is let go');

  const left = await open();
  upstreams[1]?.end();
  t.match(await left.event(), { type: 'error', error_code: 'upstream_unavailable' });
  t.strictSame(await left.closing(), { code: 1011, reason: 'upstream connection lost' });
  left.send(closeFrameOf(1011));
  await left.ended();
  await until(() => running.broker.leases === 0);
});
