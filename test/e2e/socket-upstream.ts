// An upstream of bytes: sends whatever a test wants, after a handshake or instead of one.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Test } from 'tap';
import { acceptOf } from '../../src/proxy/websocket/opening/handshake.ts';

/** @param answer called for each handshake. @returns its URL */
export async function startRawUpstream(t: Test, answer: (socket: Socket, accept: string) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let head = '';
    socket.on('data', (chunk) => {
      if (head.includes('\r\n\r\n')) return;
      head += chunk.toString('latin1');
      const key = /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1];
      if (head.includes('\r\n\r\n')) answer(socket, acceptOf(key ?? ''));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

/** @param more further header lines */
export const switching = (accept: string, more = ''): string =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${more}\r\n`;
