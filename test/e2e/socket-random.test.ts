// Ten thousand random sequences of frames over live sockets, from a hostile client and a hostile upstream: the broker survives, valid
// data arrives unchanged, whatever arrives consists of frames, and nothing is left behind.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import tap, { type Test, test } from 'tap';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { makeFrame, OPCODE } from '../../src/proxy/websocket/frames/frame.ts';
import { bytesOf, pieces, read, sequenceOf } from '../proxy/websocket/frames/random-frames.ts';
import { measuredProcess } from './measured-process.ts';
import { frameOf, handshake } from './raw-socket.ts';
import { STT_PATH } from './socket-broker.ts';
import { startRawUpstream, switching } from './socket-upstream.ts';

tap.setTimeout(300_000); // half a minute, on an idle machine

/** Memory is measured after each half: by then all code is compiled, and the usage records have reached their maximum. */
const HALF = 5_000;
/** More than the sockets that are open or have just closed, so that only leases that are not given back stop the test. */
const LEASES = 40;
/** These frames pass, so a side that sees one has seen everything sent before it. */
const LAST_UP = frameOf(OPCODE.binary, 'this was the last one of the client');
const LAST_DOWN = makeFrame(OPCODE.binary, Buffer.from('this was the last one of upstream'), false);

/** One side of a relay, with what it has received since the last check. */
interface End {
  readonly socket: Socket;
  received: Buffer;
  isClosed: boolean;
}

/** Harm done to one side's bytes: a byte flipped, or the connection ended among them. */
const harm = fc.record({
  side: fc.constantFrom('client' as const, 'upstream' as const),
  kind: fc.constantFrom('flip' as const, 'flip' as const, 'end' as const, 'reset' as const),
  where: fc.nat(),
  flip: fc.integer({ min: 1, max: 255 }),
});
const scene = fc.record({
  up: sequenceOf(4),
  down: sequenceOf(4),
  pieces,
  harm: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: harm }),
});

function endOf(socket: Socket): End {
  const end: End = { socket, received: Buffer.alloc(0), isClosed: false };
  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    end.received = end.received.length === 0 ? chunk : Buffer.concat([end.received, chunk]);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    end.isClosed = true;
  });
  return end;
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function startBrokerProcess(t: Test, upstreamUrl: string) {
  const key = createAppKey();
  const broker = measuredProcess(t, {
    env: {
      CARTESIA_API_KEY: 'sk_car_random',
      CARTESIA_BASE_URL: upstreamUrl,
      CARTESIA_ALLOW_INSECURE: 'true',
      CLIENT_KEYS: `kiosk=sha256:${appKeyDigest(key)}`,
      DELIVERY: 'proxied',
      GRANTS: 'stt',
      STT_CONCURRENCY: String(LEASES),
      TOKEN_SIGNING_SECRET: randomBytes(32).toString('base64url'),
      PORT: '0',
      MANAGEMENT_PORT: '0',
    },
  });
  const { url, managementUrl } = await broker.listening;
  return {
    broker,
    url,
    headers: { Authorization: `Bearer ${key}` },
    metrics: async (): Promise<string> => (await fetch(`${managementUrl}/metrics`)).text(),
  };
}

test('ten thousand random sequences from both sides do no harm', { timeout: 300_000 }, async (t) => {
  let accepted: ((end: End) => void) | null = null;
  let upstreamSockets = 0;
  const upstreamUrl = await startRawUpstream(t, (socket, accept) => {
    upstreamSockets += 1;
    socket.on('close', () => {
      upstreamSockets -= 1;
    });
    const end = endOf(socket);
    socket.write(switching(accept));
    accepted?.(end);
  });
  const { broker, url, headers, metrics } = await startBrokerProcess(t, upstreamUrl);

  async function openPair(): Promise<{ readonly client: End; readonly upstream: End }> {
    const there = Promise.withResolvers<End>();
    accepted = there.resolve;
    const client = endOf(connect(Number(new URL(url).port), '127.0.0.1'));
    client.socket.write(handshake(url, STT_PATH, headers));
    await until(() => client.received.includes('\r\n\r\n') || client.isClosed, 'an answer');
    const head = client.received.toString('latin1');
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(head);
    client.received = client.received.subarray(head.indexOf('\r\n\r\n') + 4);
    return { client, upstream: await there.promise };
  }

  const endings = new Map<string, number>();
  let pair = await openPair();

  /** Both sides send at once, in pieces. */
  async function play({ up, down, pieces, harm }: typeof scene extends fc.Arbitrary<infer T> ? T : never) {
    const bytes = { client: bytesOf(up, true), upstream: bytesOf(down, false) };
    if (harm !== null && bytes[harm.side].length > 0) {
      const mine = bytes[harm.side];
      const at = harm.where % mine.length;
      if (harm.kind === 'flip') mine[at] = (mine[at] ?? 0) ^ harm.flip;
      else bytes[harm.side] = mine.subarray(0, at);
    }
    for (let at = 0, i = 0; at < Math.max(bytes.client.length, bytes.upstream.length); i += 1) {
      const size = (pieces[i % pieces.length] ?? 1) * 16;
      for (const side of ['client', 'upstream'] as const) {
        if (at < bytes[side].length) pair[side].socket.write(bytes[side].subarray(at, at + size));
      }
      if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      at += size;
    }
    return bytes;
  }

  async function playWell(one: Parameters<typeof play>[0]): Promise<void> {
    const bytes = await play(one);
    const { client, upstream } = pair;
    client.socket.write(LAST_UP);
    upstream.socket.write(LAST_DOWN);
    const [sentDown, sentUp] = [read(bytes.upstream, false), read(bytes.client, true)];
    const pings = (controls: readonly string[]): string[] => controls.filter((text) => text.startsWith('9:'));
    const pongs = (controls: readonly string[]): string => controls.map((text) => text.replace(/^10:/, '9:')).join();
    const hasAll = (): boolean =>
      client.received.includes(LAST_DOWN) &&
      upstream.received.includes(LAST_UP) &&
      read(client.received, false).controls.length >= pings(sentUp.controls).length &&
      read(upstream.received, true).controls.length >= pings(sentDown.controls).length;
    await until(() => hasAll() || client.isClosed || upstream.isClosed, 'all that was sent');
    const [atClient, atUpstream] = [read(client.received, false), read(upstream.received, true)];
    if (
      atClient.rest + atUpstream.rest !== 0 ||
      atClient.messages.slice(0, -1).join() !== sentDown.messages.join() ||
      atUpstream.messages.slice(0, -1).join() !== sentUp.messages.join() ||
      pongs(atClient.controls) !== pings(sentUp.controls).join() ||
      pongs(atUpstream.controls) !== pings(sentDown.controls).join()
    )
      throw new Error('something was lost or changed');
    client.received = Buffer.alloc(0);
    upstream.received = Buffer.alloc(0);
  }

  async function playBadly(
    one: Parameters<typeof play>[0],
    { side, kind }: { side: 'client' | 'upstream'; kind: string },
  ) {
    await play(one);
    const { client, upstream } = pair;
    if (kind === 'reset') pair[side].socket.resetAndDestroy();
    else pair[side].socket.end(); // everything sent before the end is handled first
    const controls = (): readonly string[] => read(client.received, false).controls;
    await until(() => client.isClosed || controls().some((text) => text.startsWith('8:')), 'the end of the client');
    client.socket.end();
    await until(() => client.isClosed, 'the end of its connection');
    upstream.socket.end(); // as any server does when its peer has ended
    await until(() => upstream.isClosed, 'the end of upstream');
    const last = controls().at(-1) ?? '';
    read(upstream.received, true);
    const ending = last.startsWith('8:') ? String(Number.parseInt(last.slice(2, 6), 16)) : 'silent';
    endings.set(ending, (endings.get(ending) ?? 0) + 1);
    pair = await openPair();
  }

  /** @returns live bytes once all of them are over */
  const half = async (seed: number): Promise<number> => {
    const property = fc.asyncProperty(scene, (one) => (one.harm === null ? playWell(one) : playBadly(one, one.harm)));
    await fc.assert(property, { numRuns: HALF, seed, endOnFailure: true });
    pair.client.socket.destroy();
    await until(() => upstreamSockets === 0, 'no socket to upstream');
    return broker.aliveBytes();
  };
  const before = await half(1);
  pair = await openPair();
  const after = await half(20_261_128);
  t.ok(after < before * 1.1, `${before} bytes alive before, ${after} after`);
  t.match(await metrics(), /broker_sockets_open\{endpoint="\/stt\/websocket"\} 0\n/);
  for (const code of ['1002', '1007', '1011', 'silent']) t.ok((endings.get(code) ?? 0) > 10, `ended with ${code}`);
  const all = [];
  for (let n = 0; n < LEASES; n += 1) all.push(await openPair());
  await t.rejects(openPair(), /HTTP\/1.1 429 /, 'all leases were free again, and there are no more');
  for (const { client } of all) client.socket.destroy();
  t.equal(broker.child.exitCode, null, 'the process survives');
  t.equal(broker.stderr(), '');
});
