// A client without an HTTP library, for tests of bytes and of how a connection ends.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Simulator } from '../../src/simulator/simulator.ts';

export interface RawAnswer {
  /** Everything received, as Latin-1. */
  readonly text: string;
  /** How the connection ended: FIN, or the error code. */
  readonly end: string;
}

/** Sends a raw request head and collects the response until the connection ends. */
export function exchange(
  simulator: Simulator,
  head: string,
  options: { readonly secure?: boolean; readonly onData?: (socket: Socket, text: string) => void } = {},
): Promise<RawAnswer> {
  const { promise, resolve } = Promise.withResolvers<RawAnswer>();
  const socket = options.secure
    ? connectTls({ host: 'localhost', port: Number(new URL(simulator.tlsUrl).port), ca: simulator.certificate })
    : connectTcp({ host: '127.0.0.1', port: Number(new URL(simulator.url).port) });
  let text = '';
  let end = 'FIN';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    options.onData?.(socket, text);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    end = error.code ?? error.message;
  });
  socket.once('close', () => resolve({ text, end }));
  socket.write(head);
  return promise;
}

/** The head of a request without a body. */
export function head(method: string, path: string, fields: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ host: 'localhost', ...fields }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** The head of a WebSocket upgrade. */
export function upgradeHead(path: string, fields: Readonly<Record<string, string>> = {}): string {
  return head('GET', path, {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...fields,
  });
}
