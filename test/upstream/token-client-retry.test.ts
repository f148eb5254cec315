// A request is retried once, and only if none of its bytes have been sent.
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { type Test, test } from 'tap';
import { createAuthority } from './certificates.ts';
import { clientUnderTest, problemOf, WISH } from './client-under-test.ts';
import { type RawUpstream, startRawUpstream, tokenAnswer } from './raw-upstream.ts';

const authority = await createAuthority();

/** A TLS server behind a TCP listener that may do something other than a handshake with a connection. */
async function tlsBehind(t: Test, onConnection: (socket: Socket, number: number, tls: Server) => void) {
  const identity = await authority.issue({ host: 'localhost' });
  const requests: string[] = [];
  const tls = createTlsServer(identity, (socket) => {
    socket
      .on('error', () => {})
      .on('data', (data) => {
        requests.push(data.toString());
        socket.write(tokenAnswer('second.try'));
      });
  });
  tls.on('tlsClientError', () => {});
  let connections = 0;
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    connections += 1;
    sockets.add(socket.on('error', () => {}));
    onConnection(socket, connections, tls);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  const address = listener.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    settings: { baseUrl: `https://localhost:${port}`, authorities: authority.cert },
    requests,
    connections: () => connections,
  };
}

test('a connection that breaks during the handshake is retried', async (t) => {
  const upstream = await tlsBehind(t, (socket, number, tls) => {
    if (number === 1) socket.once('data', () => socket.resetAndDestroy());
    else tls.emit('connection', socket);
  });
  const { client, events } = clientUnderTest(t, upstream.settings);
  t.equal((await client.mint(WISH)).token, 'second.try');
  t.match(events, [
    { type: 'retry', kind: 'cut', code: 'ECONNRESET' },
    { type: 'attempt', outcome: 'token' },
  ]);
  t.equal(upstream.connections(), 2);
  t.equal(upstream.requests.length, 1);
});

test('a connection that breaks during the handshake is retried only once', async (t) => {
  const upstream = await tlsBehind(t, (socket) => socket.once('data', () => socket.resetAndDestroy()));
  const { client } = clientUnderTest(t, upstream.settings);
  t.equal((await problemOf(t, client.mint(WISH))).code, 'upstream_unavailable');
  t.equal(upstream.connections(), 2);
});

const CLOSINGS: Readonly<Record<string, (upstream: RawUpstream) => void>> = {
  FIN: (upstream) => {
    for (const socket of upstream.sockets) socket.end();
  },
  RST: (upstream) => {
    for (const socket of upstream.sockets) socket.resetAndDestroy();
  },
  'FIN and gone': (upstream) => {
    for (const socket of upstream.sockets) socket.destroy();
  },
  'surplus bytes': (upstream) => {
    for (const socket of upstream.sockets) socket.write(tokenAnswer('forged.token'));
  },
};

for (const [name, close] of Object.entries(CLOSINGS)) {
  for (const lead of ['at once', 'after a turn of the loop']) {
    test(`a kept connection that upstream closed before the next mint (${name}, ${lead}) costs the caller nothing`, async (t) => {
      const upstream = await startRawUpstream(({ socket, number }) => socket.write(tokenAnswer(`token.${number}`)));
      t.teardown(() => upstream.close());
      const { client } = clientUnderTest(t, { baseUrl: upstream.url, connections: 1 });
      for (let i = 1; i <= 25; i++) {
        t.equal((await client.mint(WISH)).token, `token.${i}`);
        // undici makes the connection available again in the next turn; before that, no idle connection can be closed.
        await new Promise((resolve) => setImmediate(resolve));
        await new Promise((resolve) => setImmediate(resolve));
        close(upstream);
        if (lead !== 'at once') await new Promise((resolve) => setImmediate(resolve));
      }
      t.equal(upstream.requests.length, 25, 'no mint was made twice');
      t.equal(client.health.breaker, 'closed');
    });
  }
}

test('a request that upstream has read is never sent again, even on a reused connection', async (t) => {
  const upstream = await startRawUpstream(({ socket, numberOnConnection, number }) => {
    if (numberOnConnection === 1) socket.write(tokenAnswer(`token.${number}`));
    else socket.resetAndDestroy();
  });
  t.teardown(() => upstream.close());
  const { client, events } = clientUnderTest(t, { baseUrl: upstream.url, connections: 1 });
  await client.mint(WISH);
  const problem = await problemOf(t, client.mint(WISH));
  t.equal(problem.code, 'upstream_unavailable');
  t.match(problem.details.cause, { kind: 'cut' });
  t.equal(upstream.requests.length, 2);
  t.notOk(events.some(({ type }) => type === 'retry'));
});
