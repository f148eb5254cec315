import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { drain } from '../../src/listener/drain.ts';
import { listConnections } from '../../src/listener/open-connections.ts';
import { createReadiness } from '../../src/listener/readiness.ts';
import { createCertificate } from '../../src/simulator/certificate.ts';

async function listen(t: Test, handler: http.RequestListener) {
  const server = http.createServer(handler);
  listConnections(server);
  t.teardown(() => server.closeAllConnections());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = async () => {
    const socket = connect(port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  return { server, open };
}

test('readiness ends at once, and serving goes on until the delay is over', async (t) => {
  const { server, open } = await listen(t, (_request, response) => response.end('served'));
  const readiness = createReadiness();
  readiness.set('ready');
  const asleep = Promise.withResolvers<void>();
  const drained = drain(server, { readiness, delayMs: 5000, deadlineMs: 1000, sleep: () => asleep.promise });
  t.equal(readiness.state, 'draining');
  const socket = await open();
  socket.write('GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n');
  const [data] = await once(socket, 'data');
  t.match(String(data), 'served');
  t.equal(server.listening, true);
  asleep.resolve();
  await drained;
  t.equal(server.listening, false);
});

test('a request under way is finished, and its connection is not cut', async (t) => {
  const started = Promise.withResolvers<http.ServerResponse>();
  const { server, open } = await listen(t, (_request, response) => started.resolve(response));
  const socket = await open();
  socket.write('GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n');
  const response = await started.promise;
  const drained = drain(server, { readiness: createReadiness(), delayMs: 0, deadlineMs: 5000 });
  let isDrained = false;
  void drained.then(() => {
    isDrained = true;
  });
  const data = once(socket, 'data');
  setImmediate(() => response.end('finished'));
  t.match(String((await data)[0]), 'finished');
  await drained;
  t.equal(isDrained, true);
});

test('an idle connection may still bring a request that was on its way, and closes after a second', async (t) => {
  const { server, open } = await listen(t, (_request, response) => response.end('served'));
  const socket = await open();
  socket.write('GET / HTTP/1.1\r\nHost: b\r\n\r\n');
  await once(socket, 'data');
  const drained = drain(server, { readiness: createReadiness(), delayMs: 0, deadlineMs: 5000 });
  socket.write('GET / HTTP/1.1\r\nHost: b\r\n\r\n');
  t.match(String((await once(socket, 'data'))[0]), 'served');
  const start = performance.now();
  await drained;
  t.ok(performance.now() - start < 2500);
});

test('a response that is written but that a slow client has not taken yet is not cut as idle', async (t) => {
  const body = Buffer.alloc(8_000_000, 'x'); // more than the system holds for both sides
  const { cert, key } = createCertificate(Date.now());
  for (const server of [http.createServer(), https.createServer({ cert, key })]) {
    const isSecure = server instanceof https.Server;
    listConnections(server);
    t.teardown(() => server.closeAllConnections());
    server.on('request', (_request, response) => response.end(body));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const request = (isSecure ? https : http).get({ port, host: '127.0.0.1', rejectUnauthorized: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const drained = drain(server, { readiness: createReadiness(), delayMs: 0, deadlineMs: 5000, idleGraceMs: 10 });
    await delay(100);
    let received = 0;
    response.on('data', (piece: Buffer) => {
      received += piece.length;
    });
    response.on('error', () => {});
    await once(response, 'close');
    t.equal(received, body.length, isSecure ? 'over TLS' : 'in the clear');
    await drained;
  }
});

test('what does not end is cut at the deadline', async (t) => {
  const closed = Promise.withResolvers<void>();
  const { server, open } = await listen(t, (_request, response) => response.on('close', () => closed.resolve()));
  const socket = await open();
  socket.write('GET / HTTP/1.1\r\nHost: b\r\n\r\n');
  await once(server, 'request');
  const start = performance.now();
  let isToldBefore = false;
  void closed.promise.then(() => {
    isToldBefore = true;
  });
  await drain(server, { readiness: createReadiness(), delayMs: 0, deadlineMs: 200 });
  const took = performance.now() - start;
  t.ok(took >= 190 && took < 1500, `${took} ms`);
  t.equal(isToldBefore, true, 'the request was told before drain ended');
});

test('a connection that is idle at the deadline is ended without a word', async (t) => {
  const { server, open } = await listen(t, (_request, response) => response.end('served'));
  const socket = await open();
  socket.write('GET / HTTP/1.1\r\nHost: b\r\n\r\n');
  await once(socket, 'data');
  const told: number[] = [];
  await drain(server, {
    readiness: createReadiness(),
    delayMs: 0,
    deadlineMs: 50,
    idleGraceMs: 5000,
    onDeadline: (connections) => void told.push(connections),
  });
  t.strictSame(told, []);
  t.equal(server.listening, false);
});
