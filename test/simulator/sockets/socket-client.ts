// A plain WebSocket client that keeps all messages, for tests of the simulator's sockets.

import type { IncomingMessage } from 'node:http';
import type { Test } from 'tap';
import { WebSocket } from 'ws';
import type { Simulator } from '../../../src/simulator/simulator.ts';

export type Message = Readonly<Record<string, unknown>>;

export interface ConnectOptions {
  /** For `Authorization: Bearer`; null = none. Default: the simulator's key. */
  readonly credential?: string | null;
  /** `Cartesia-Version`; null = none. Default: the newest. */
  readonly version?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface SocketClient {
  readonly socket: WebSocket;
  /** The response header `cartesia-request-id`. */
  readonly requestId: string;
  /** All messages so far. */
  readonly messages: readonly Message[];
  send(message: object | string | Uint8Array): void;
  /** The unread messages up to and including the first match. Rejects if the socket closes first. */
  until(fits: string | ((message: Message) => boolean)): Promise<readonly Message[]>;
  /** The last of {@link until}. */
  next(fits?: string | ((message: Message) => boolean)): Promise<Message>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** Opens a socket of the simulator; `path` may have a query. */
export async function connect(
  t: Test,
  simulator: Simulator,
  path: string,
  options: ConnectOptions = {},
): Promise<SocketClient> {
  const socket = openSocket(simulator, path, options);
  t.teardown(() => socket.terminate());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let requestId = '';
  socket.once('upgrade', (response: IncomingMessage) => {
    requestId = String(response.headers['cartesia-request-id']);
  });
  socket.once('open', resolve).once('error', reject);
  const client = listen(socket);
  await promise;
  return { ...client, requestId };
}

/** Tries to open a socket that should be refused. */
export async function refused(
  simulator: Simulator,
  path: string,
  options: ConnectOptions = {},
): Promise<{ readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: string }> {
  const socket = openSocket(simulator, path, options);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  socket.once('unexpected-response', (_request, response: IncomingMessage) => resolve(response));
  socket.once('open', () => reject(new Error('the upgrade was accepted')));
  socket.once('error', reject);
  const response = await promise;
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') };
}

function openSocket(simulator: Simulator, path: string, options: ConnectOptions): WebSocket {
  const { credential = simulator.apiKey, version = '2026-08-14' } = options;
  return new WebSocket(`${simulator.url.replace('http', 'ws')}${path}`, {
    headers: {
      ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
      ...(version === null ? {} : { 'cartesia-version': version }),
      ...options.headers,
    },
  });
}

function listen(socket: WebSocket): Omit<SocketClient, 'requestId'> {
  const messages: Message[] = [];
  let read = 0;
  let wake = () => {};
  let isClosed = false;
  socket.on('message', (data, isBinary) => {
    messages.push(isBinary ? { binary: data } : (JSON.parse(String(data)) as Message));
    wake();
  });
  socket.on('error', () => {});
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => {
      isClosed = true;
      wake();
      resolve({ code, reason: String(reason) });
    });
  });

  async function until(fits: string | ((message: Message) => boolean)): Promise<readonly Message[]> {
    const isIt = typeof fits === 'string' ? (message: Message) => (message['type'] ?? message['event']) === fits : fits;
    const taken: Message[] = [];
    for (;;) {
      for (let message = messages[read]; message !== undefined; message = messages[read]) {
        read += 1;
        taken.push(message);
        if (isIt(message)) return taken;
      }
      if (isClosed) throw new Error(`the socket closed after ${JSON.stringify(taken).slice(0, 2_000)}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  return {
    socket,
    messages,
    until,
    closed,
    next: async (fits = () => true) => (await until(fits)).at(-1) ?? {},
    send: (message) =>
      socket.send(typeof message === 'string' || message instanceof Uint8Array ? message : JSON.stringify(message)),
  };
}
