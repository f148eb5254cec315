// An issuer's web server under a test's control: what it publishes, how it misbehaves, and which paths were requested.
import { EventEmitter, on, once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface IssuerServer {
  /** Its origin, which is also the issuer's name. */
  readonly issuer: string;
  readonly jwksUrl: string;
  /** Requested paths, in order. */
  readonly requests: readonly string[];
  /** Sets the keys that `/jwks` publishes. */
  publish(...jwks: readonly unknown[]): void;
  /** Handles a path instead of the default; `null` restores the default. */
  answer(path: string, handler: Handler | null): void;
  /** Resolves when this path has been requested this many times in total. */
  asked(path: string, times: number): Promise<void>;
  /** Stops listening; from then on connections are refused. */
  close(): Promise<void>;
  /** Listens again on the same port. */
  reopen(): Promise<void>;
}

export interface IssuerServerOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
}

export async function startIssuerServer({ tls }: IssuerServerOptions = {}): Promise<IssuerServer> {
  const requests: string[] = [];
  const handlers = new Map<string, Handler>();
  const events = new EventEmitter();
  let keys: readonly unknown[] = [];
  let issuer = '';

  const usual = new Map<string, Handler>([
    ['/jwks', (_, response) => json(response, { keys })],
    ['/.well-known/openid-configuration', (_, response) => json(response, { issuer, jwks_uri: `${issuer}/jwks` })],
  ]);
  const listener: RequestListener = (request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    events.emit('request');
    (handlers.get(path) ?? usual.get(path) ?? notFound)(request, response);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  const listen = async (port: number) => {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  issuer = tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;

  const timesAsked = (path: string) => requests.filter((asked) => asked === path).length;
  return {
    issuer,
    jwksUrl: `${issuer}/jwks`,
    requests,
    publish(...jwks) {
      keys = jwks;
    },
    answer(path, handler) {
      if (handler === null) handlers.delete(path);
      else handlers.set(path, handler);
    },
    async asked(path, times) {
      if (timesAsked(path) >= times) return;
      for await (const _ of on(events, 'request')) if (timesAsked(path) >= times) return;
    },
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
    reopen: () => listen(port),
  };
}

export function json(response: ServerResponse, body: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
}

function notFound(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404).end();
}
