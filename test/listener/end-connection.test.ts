// What happens to a connection after its last response.
import { once } from 'node:events';
import { createServer, IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'tap';
import { endConnection } from '../../src/listener/end-connection.ts';
import { createServer as createListener } from '../../src/listener/server.ts';

test('the rest of a body after the answer is not parsed, and the connection still ends', async (t) => {
  let pieces = 0;
  class Counting extends IncomingMessage {
    override push(piece: unknown): boolean {
      pieces += 1;
      return super.push(piece);
    }
  }
  const server = createServer({ IncomingMessage: Counting }, (request, response) => {
    request.resume();
    response.setHeader('connection', 'close');
    response.end('no');
  });
  const { promise: isClosed, resolve: closed } = Promise.withResolvers<void>();
  server.on('connection', (socket) => {
    socket.on('close', () => closed());
    socket.destroySoon = () => endConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  await once(socket, 'data');
  socket.resume();
  const chunks = '1\r\na\r\n'.repeat(100_000);
  for (let i = 0; i < 5; i += 1) socket.write(chunks, 'latin1');
  await isClosed;
  t.ok(pieces < 50_000, `${pieces} pieces of 500,000`); // from the reads that came with the answer
});

test('a client that is still sending when its last answer comes sees the end of the connection, not a reset', async (t) => {
  const { promise: isSent, resolve: sent } = Promise.withResolvers<void>();
  const answer = (response: ServerResponse): void => void response.writeHead(200, { connection: 'close' }).end('no');
  const server = createListener((_request, response) => void isSent.then(() => answer(response)), { tls: null });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.resume().write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
  socket.write(Buffer.alloc(50_000_000)); // more than the system holds for both sides
  setTimeout(sent, 100);
  await t.resolves(once(socket, 'end'));
});
