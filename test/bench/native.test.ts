// The C load programs detect lost or changed data: a benchmark without checks would call a broken proxy fast.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { type Test, test } from 'tap';
import { LOAD_CPU, missing } from '../../bench/machine.ts';
import { type Load, type Measurement, measure } from '../../bench/measurement.ts';
import { compile } from '../../bench/native.ts';
import { launchOn } from '../../bench/processes.ts';
import { handshake, LISTENING, MINT, SMALL, speech, writeCredentials, writeRequest } from '../../bench/requests.ts';

/** What a proxy does to the bytes of a response. */
type Spoil = (bytes: Buffer) => Buffer;

const faithfully: Spoil = (bytes) => bytes;
/** Changes the last letter of the payload; lengths and framing stay. */
const changed: Spoil = (bytes) => {
  const copy = Buffer.from(bytes);
  if (copy.includes('HTTP/1.1 101')) return copy;
  const at = copy.lastIndexOf(copy.includes('"}') ? '"}' : '\r\n') - 1;
  if (at > 0) copy[at] = copy[at] === 0x41 ? 0x42 : 0x41;
  return copy;
};

const LINES = writeCredentials('test', ['a']);
const WORKLOADS: Readonly<Record<string, { readonly request: string; readonly load: Load }>> = {
  mint: { request: MINT, load: { program: 'load', settings: { answers: 'minted', connections: 4 } } },
  small: { request: SMALL, load: { program: 'load', settings: { answers: 'small', connections: 4 } } },
  speech: {
    request: speech('n=4&size=800'),
    load: { program: 'load', settings: { answers: 'stream', connections: 4, chunks: 4, size: 800 } },
  },
  socket: {
    request: handshake('/tts/websocket?n=2&size=800'),
    load: { program: 'sockets', settings: { does: 'speak', connections: 4, messages: 2, size: 800 } },
  },
  recording: {
    request: handshake(LISTENING),
    load: { program: 'sockets', settings: { does: 'listen', connections: 4 } },
  },
};

async function startUpstream(t: Test): Promise<number> {
  const child = launchOn(LOAD_CPU, { command: [compile('upstream'), '0'] }, 'pipe');
  t.teardown(() => child.kill());
  if (child.stdout === null) throw new TypeError('it has a pipe');
  const [line] = await once(child.stdout, 'data');
  return Number(String(line));
}

/** Forwards bytes; those of responses pass through `spoil`. */
async function startProxy(t: Test, upstreamPort: number, spoil: Spoil): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((down) => {
    const up = connect(upstreamPort, '127.0.0.1');
    for (const socket of [down, up]) sockets.add(socket.on('error', () => socket.destroy()));
    down.pipe(up);
    up.on('data', (bytes) => down.write(spoil(bytes)));
    up.on('close', () => down.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port; // a TCP listener has a port
}

async function run(name: string, port: number): Promise<Measurement> {
  const workload = WORKLOADS[name];
  if (workload === undefined) throw new TypeError(name);
  const { program, settings } = workload.load;
  const load = { program, settings: { ...settings, warm: 0, seconds: 0.2, lines: LINES } };
  return measure(load, { port, pids: [] }, writeRequest(`test-${name}`, workload.request));
}

test('this machine can measure', async (t) => {
  t.strictSame(missing(), []);
});

for (const name of Object.keys(WORKLOADS)) {
  test(`${name}: complete responses are counted, without errors`, async (t) => {
    const port = await startProxy(t, await startUpstream(t), faithfully);
    const { requests = 0, messages = 0, errors } = await run(name, port);
    t.equal(errors, 0);
    t.ok(requests + messages > 0);
  });

  if (name === 'recording') continue; // upstream checks those: the response has no payload
  test(`${name}: a changed letter is an error`, async (t) => {
    const port = await startProxy(t, await startUpstream(t), changed);
    const { errors } = await run(name, port).catch(() => ({ errors: Number.POSITIVE_INFINITY }));
    t.ok(errors > 0);
  });
}
