// A process that stood still, as in a container or a machine that was suspended: what arrived meanwhile is in its sockets, unread, and must
// not be taken for silence.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { type Test, test } from 'tap';
import { OPCODE } from '../../src/proxy/websocket/frames/frame.ts';
import { open, SPEECH, startCarrying } from './carried-broker.ts';
import { mintBytes } from './mint-bytes.ts';
import { openRaw } from './raw-connection.ts';
import { frameOf, openRawSocket } from './raw-socket.ts';
import { startRunningBroker } from './running-broker.ts';
import { clientOf, speech, startSocketBroker } from './socket-broker.ts';
import { startRawUpstream, switching } from './socket-upstream.ts';

function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Answers every request with the first part, and calls `then` when that is on its way. */
async function upstream(t: Test, first: string, then: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(first);
      then(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: audio/raw\r\nContent-Length: 8\r\n\r\n';

for (const transport of ['native', 'undici'] as const) {
  for (const [what, first, rest] of [
    ['the head', '', `${HEAD}12345678`],
    ['the rest of a body', `${HEAD}1234`, '5678'],
  ] as const) {
    test(`${transport}: a request survives if ${what} arrived while the process stood still`, async (t) => {
      const sendRest = (socket: Socket): void => {
        socket.end(rest);
        standStill(700); // here Node runs timers next, then reads sockets
      };
      const url = await upstream(t, first, (socket) => setTimeout(() => setImmediate(sendRest, socket), 50));
      const { broker, token } = await startCarrying(t, {
        transport,
        env: { CARTESIA_BASE_URL: url },
        seams: { carrying: { deadlines: { headMs: 400, idleMs: 400 }, lookMs: 20 } },
      });
      const answer = await open(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
      t.equal(answer.statusCode, 200);
      let text = '';
      answer.setEncoding('latin1').on('data', (part: string) => {
        text += part;
      });
      await new Promise<void>((resolve) => answer.on('error', () => {}).on('close', resolve));
      t.strictSame([text, answer.complete], ['12345678', true]);
    });
  }
}

for (const tls of [false, true]) {
  test(`a request that arrived on an idle connection meanwhile is answered${tls ? ', over TLS too' : ''}`, async (t) => {
    const { broker, appKey } = await startRunningBroker(t, { tls, seams: { timeouts: { keepAliveMs: 50 } } });
    const port = Number(new URL(broker.url).port);
    const secure = tls ? connect({ host: '127.0.0.1', port, rejectUnauthorized: false }) : undefined;
    if (secure !== undefined) await once(secure, 'secureConnect');
    const connection = await openRaw(t, broker.url, secure);
    const ask = (): void => connection.send(mintBytes({ credential: appKey }));
    ask();
    t.equal((await connection.response()).status, 200);
    setImmediate(() => {
      ask();
      standStill(1_200); // Node waits a second longer than it tells clients
    });
    t.equal((await connection.response()).status, 200);
  });
}

test('a socket opens if Cartesia accepted it meanwhile', async (t) => {
  const url = await startRawUpstream(t, (socket, accept) => {
    const answer = (): void => {
      socket.write(switching(accept));
      standStill(700);
    };
    setTimeout(() => setImmediate(answer), 50);
  });
  const { broker, headers } = await startSocketBroker(t, {
    env: { CARTESIA_BASE_URL: url },
    seams: { socketHandshakeMs: 400 },
  });
  await t.resolves(openRawSocket(t, broker.url, '/tts/websocket', headers));
});

test('sockets survive a standstill for longer than any silence that ends one, and silence counts from then on', async (t) => {
  const clock = { now: 1_000, perReading: 0 };
  const running = await startSocketBroker(t, {
    simulator: { plan: 'scale', settings: { latency: { perChunkMs: 60_000 } } },
    file: (digest) => clientOf(digest, { sockets: { idle: 100 } }),
    seams: {
      relays: {
        tickMs: 20,
        now: () => {
          clock.now += clock.perReading;
          return clock.now;
        },
      },
    },
  });
  const path = '/tts/websocket';
  const [busy, idle] = [
    await openRawSocket(t, running.broker.url, path, running.headers),
    await openRawSocket(t, running.broker.url, path, running.headers),
  ];
  busy.send(frameOf(1, speech('a', 'A sentence with more than one chunk, so that it stays unfinished.')));
  t.match(await busy.event(), { type: 'chunk' });
  for (let i = 0; i < 3; i += 1) {
    clock.now += 300_000;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const socket of [busy, idle]) {
    socket.send(frameOf(OPCODE.ping, 'still here?'));
    let answer = await socket.frame();
    while (answer.opcode === OPCODE.ping) answer = await socket.frame();
    t.strictSame([answer.opcode, answer.payload.toString()], [OPCODE.pong, 'still here?']);
  }
  clock.perReading = 1_000;
  t.match(await busy.event(10_000), { type: 'error', context_id: 'a', error_code: 'upstream_timeout' });
  t.match(await idle.closing(), { code: 1000, reason: 'connection idle timeout' });
});
