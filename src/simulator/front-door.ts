// Accepts TCP connections, plain and TLS, and hands them to the simulator's HTTP server.

import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { TlsIdentity } from './certificate.ts';
import type { World } from './world.ts';

/** What is known about the connection that a socket belongs to. */
export interface Connection {
  /** Counts from 1 in the order of acceptance. */
  readonly id: number;
  readonly secure: boolean;
  /** The TCP socket, which is below TLS if there is TLS: a reset has to be sent on it. */
  readonly raw: Socket;
}

const connections = new WeakMap<object, Connection>();

/** The connection of a request's or upgrade's socket. */
export function connectionOf(socket: object): Connection {
  const connection = connections.get(socket);
  if (connection === undefined) throw new Error('a socket that did not come through the front door');
  return connection;
}

/** Ends a connection with RST instead of FIN, also below TLS. */
export function resetConnection(socket: object): void {
  const { raw } = connectionOf(socket);
  if (!raw.destroyed) raw.resetAndDestroy();
}

/** Leaves a connection open that nobody answers, and reads on so as to notice when the client leaves. */
export function endWithClient(socket: Duplex): void {
  socket.resume().once('end', () => socket.end());
}

/**
 * Its own listeners in front of the HTTP server, because faults have to act before HTTP and TLS do.
 */
export class FrontDoor {
  readonly #world: World;
  readonly #http: HttpServer;
  readonly #servers: Server[] = [];
  readonly #open = new Set<Socket>();
  #lastId = 0;

  constructor(world: World, http: HttpServer) {
    this.#world = world;
    this.#http = http;
  }

  /**
   * Listens; with an identity it speaks TLS.
   * @returns the port, which is useful if 0 was asked for
   */
  async listen(host: string, port: number, identity?: TlsIdentity): Promise<number> {
    const context = identity && createSecureContext({ cert: identity.cert, key: identity.key });
    // Like node:http: a client may half-close and still read; small chunks go out at once.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (raw) => {
      this.#accept(raw, () => {
        if (context === undefined) this.#admit(raw, raw);
        else
          this.#handshake(
            raw,
            new TLSSocket(raw, { isServer: true, secureContext: context, ALPNProtocols: ['http/1.1'] }),
          );
      });
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(port, host, resolve);
    await promise;
    this.#servers.push(server);
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('not a TCP listener');
    return address.port;
  }

  /** How many TCP connections are open. */
  get openConnections(): number {
    return this.#open.size;
  }

  /** Stops listening and cuts every connection. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve())));
    for (const raw of this.#open) raw.destroy();
    await Promise.all(closed);
  }

  #accept(raw: Socket, proceed: () => void): void {
    this.#open.add(raw);
    raw.once('close', () => this.#open.delete(raw));
    // A peer's reset need not be reported; 'close' follows.
    raw.on('error', () => {});
    const fault = this.#world.faults.takeForConnection();
    if (fault?.type === 'refuse') raw.resetAndDestroy();
    else if (fault?.type === 'hang') endWithClient(raw);
    else this.#later(this.#world.settings.latency.connectMs, raw, proceed);
  }

  #later(ms: number, raw: Socket, proceed: () => void): void {
    if (ms === 0) proceed();
    else setTimeout(() => !raw.destroyed && proceed(), ms).unref();
  }

  #handshake(raw: Socket, secure: TLSSocket): void {
    secure.on('error', () => raw.destroy());
    secure.once('close', () => raw.destroy());
    secure.once('secure', () => this.#admit(secure, raw));
  }

  #admit(socket: Socket, raw: Socket): void {
    connections.set(socket, { id: ++this.#lastId, secure: socket !== raw, raw });
    this.#http.emit('connection', socket);
  }
}
