// The public HTTP server: its time limits, its size limits, and an answer in our shape for whatever the parser refuses.
import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Problem } from '../errors/problems.ts';
import { rawErrorResponse } from '../errors/raw-response.ts';
import { errorBody, errorHeaders } from '../errors/wire.ts';
import { checkFraming } from './framing.ts';

export interface ServerOptions {
  /** PEM texts; `null` = plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Told of everything that is refused before the application sees it. */
  readonly onRefused?: (problem: Problem, requestId: string) => void;
  /** For tests: shorter clocks. */
  readonly timeouts?: Partial<ServerTimeouts>;
}

/** Milliseconds. */
export interface ServerTimeouts {
  /** From the first byte (or the connection) to the end of the header block. */
  readonly headersMs: number;
  /** The whole request, body included. */
  readonly requestMs: number;
  /** An idle connection. Longer than the 60 s of common load balancers, so that they close first and never race us. */
  readonly keepAliveMs: number;
  /** How often the two limits above are looked at. */
  readonly checkMs: number;
}

export const TIMEOUTS: ServerTimeouts = { headersMs: 10_000, requestMs: 30_000, keepAliveMs: 72_000, checkMs: 500 };

const HEADER_BLOCK_MAX_BYTES = 16 * 1024;

/** Set on a request that waits for `100 Continue`; whoever is about to read its body sends it (see `continue.ts`). */
export const expectsContinue: unique symbol = Symbol('expects 100-continue');

declare module 'node:http' {
  interface IncomingMessage {
    [expectsContinue]?: boolean;
  }
}

/** For Fastify's `serverFactory`. The caller listens and closes. */
export function createServer(handler: RequestListener, options: ServerOptions): http.Server {
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const shared = {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: timeouts.checkMs,
    maxHeaderSize: HEADER_BLOCK_MAX_BYTES,
    requireHostHeader: false, // Node would answer in its own shape; framing.ts asks for it
    insecureHTTPParser: false,
    noDelay: true,
  };
  const server: http.Server =
    options.tls === null
      ? http.createServer(shared)
      : https.createServer({ ...shared, ...options.tls, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] });
  server.maxHeadersCount = 0; // counted by framing.ts: Node would drop surplus fields silently

  const refuse = (problem: Problem): string => {
    const requestId = randomUUID();
    options.onRefused?.(problem, requestId);
    return requestId;
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    track(request, response);
    const problem = checkFraming(request);
    if (problem === null) handler(request, response);
    else answer(response, problem, refuse(problem));
  };

  server.on('request', onRequest);
  server.on('checkContinue', (request, response) => {
    request[expectsContinue] = true;
    onRequest(request, response);
  });
  server.on('checkExpectation', (request, response) => {
    track(request, response);
    const problem = new Problem('expectation_failed');
    answer(response, problem, refuse(problem));
  });
  server.on('connect', (_request, socket) => {
    const problem = new Problem('invalid_request', 'This is not a tunnel.');
    end(socket, rawErrorResponse(problem, refuse(problem)));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || !socket.writable) {
      socket.destroy(); // nobody is left to read an answer
      return;
    }
    const problem = parseProblem(error.code);
    const requestId = refuse(problem);
    // Requests that came whole before the broken one on this connection are executed, so they are answered first.
    whenAnswered(socket, () => end(socket, rawErrorResponse(problem, requestId)));
  });
  return server;
}

function parseProblem(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers_too_large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request_timeout');
    default:
      return new Problem('invalid_request', 'The request is not well-formed HTTP/1.1.');
  }
}

/** Answers without reading the rest of the request; what the client still sends after that is not listened to. */
function answer(response: ServerResponse, problem: Problem, requestId: string): void {
  const body = JSON.stringify(errorBody(problem, requestId));
  response.writeHead(problem.status, {
    ...errorHeaders(problem),
    'x-request-id': requestId,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(body);
}

function end(socket: Duplex, bytes: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(bytes, () => socket.destroy());
}

/** Responses not yet finished, by connection, in order; a pipelining client has several. */
const unfinished = new WeakMap<Duplex, Map<ServerResponse, IncomingMessage>>();

function track(request: IncomingMessage, response: ServerResponse): void {
  const socket: Socket = request.socket;
  const open = unfinished.get(socket) ?? new Map<ServerResponse, IncomingMessage>();
  unfinished.set(socket, open.set(response, request));
  response.once('close', () => open.delete(response));
}

/** Runs `then` when every request that came whole on this connection has its answer. One that is cut off gets none of its own. */
function whenAnswered(socket: Duplex, then: () => void): void {
  const whole = [...(unfinished.get(socket) ?? [])]
    .filter(([, request]) => request.complete)
    .map(([response]) => response);
  const last = whole.at(-1);
  if (last === undefined) then();
  else last.once('close', then);
}
