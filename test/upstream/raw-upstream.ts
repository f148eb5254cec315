// An upstream made of bare sockets: sends exactly the bytes it is told to, counts connections and keeps what it received.
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface RawRequest {
  readonly socket: Socket;
  /** 1 for the first request that this upstream receives. */
  readonly number: number;
  /** 1 for the first request on this connection. */
  readonly numberOnConnection: number;
  readonly head: string;
  readonly body: string;
}

export interface RawUpstream {
  readonly port: number;
  readonly url: string;
  /** Established connections; over TLS, only those that completed the handshake. */
  connections: number;
  readonly requests: RawRequest[];
  /** Resolves once this many requests have arrived. */
  untilRequests(count: number): Promise<void>;
  /** Everything that arrived, decrypted. */
  received: string;
  readonly sockets: Set<Socket>;
  close(): Promise<void>;
}

export interface RawUpstreamOptions {
  readonly tls?: TlsOptions;
  readonly onConnection?: (socket: Socket) => void;
}

export async function startRawUpstream(
  onRequest: (request: RawRequest) => void,
  options: RawUpstreamOptions = {},
): Promise<RawUpstream> {
  const sockets = new Set<Socket>();
  const arrivals = new EventEmitter();

  function onConnection(socket: Socket): void {
    upstream.connections += 1;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    let pending = '';
    let numberOnConnection = 0;
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      upstream.received += chunk;
      pending += chunk;
      for (;;) {
        const headEnd = pending.indexOf('\r\n\r\n');
        if (headEnd < 0) return;
        const head = pending.slice(0, headEnd);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (pending.length < headEnd + 4 + length) return;
        const body = pending.slice(headEnd + 4, headEnd + 4 + length);
        pending = pending.slice(headEnd + 4 + length);
        numberOnConnection += 1;
        const request = { socket, number: upstream.requests.length + 1, numberOnConnection, head, body };
        upstream.requests.push(request);
        onRequest(request);
        arrivals.emit('request');
      }
    });
    options.onConnection?.(socket);
  }

  const server = options.tls === undefined ? createTcpServer(onConnection) : createTlsServer(options.tls, onConnection);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on a port
  const upstream: RawUpstream = {
    port,
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    connections: 0,
    requests: [],
    received: '',
    sockets,
    async untilRequests(count) {
      while (upstream.requests.length < count) await once(arrivals, 'request');
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      if (server.listening) await once(server, 'close');
    },
  };
  return upstream;
}

export function jsonAnswer(status: string, body: string, headers = ''): string {
  return `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Cartesia's response to a mint that it allows. */
export function tokenAnswer(token = 'eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl', headers = ''): string {
  return jsonAnswer('200 OK', JSON.stringify({ token }), headers);
}
