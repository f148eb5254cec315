// The public HTTP server: its time limits, its size limits, and an error response in our form for whatever the parser refuses.
import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { type Certificate, secureOptions } from '../config/certificate-files.ts';
import { Problem } from '../errors/problems.ts';
import { rawErrorResponse } from '../errors/raw-response.ts';
import { refusedWith } from '../errors/refused-with.ts';
import { errorBody, errorHeaders } from '../errors/wire.ts';
import { endConnection } from './end-connection.ts';
import { announcesBody, checkFraming, mentionsBody } from './framing.ts';
import { IncomingRequest, takeRestSlowly } from './incoming-request.ts';
import { Intake } from './intake.ts';
import { listConnections } from './open-connections.ts';
import { requestIdOf } from './request-id.ts';
import { type Handling, turnsOf } from './turns.ts';
import { asksForWebSocket, beginAnswer, responseTo } from './upgrade.ts';

export interface ServerOptions {
  /** `null` = plain HTTP. */
  readonly tls: Certificate | null;
  /** Called for everything that is refused before the application sees it. */
  readonly onRefused?: (problem: Problem, requestId: string) => void;
  /** For tests: shorter clocks. */
  readonly timeouts?: Partial<ServerTimeouts>;
}

/** Milliseconds. */
export interface ServerTimeouts {
  /** From the first byte (or the connection) to the end of the header block; also the time a TLS handshake may take. */
  readonly headersMs: number;
  /** The whole request, body included. */
  readonly requestMs: number;
  /** An idle connection. Longer than the 60 s of common load balancers, so that they close first and never race us. */
  readonly keepAliveMs: number;
  /** A client that reads nothing of its response. */
  readonly stalledMs: number;
  /** How often the first two are checked. */
  readonly checkMs: number;
}

export const TIMEOUTS: ServerTimeouts = {
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 72_000,
  stalledMs: 120_000,
  checkMs: 500,
};

/**
 * An idle connection from a proxy in front: longer than most proxies keep it (Traefik 90 s, Caddy two minutes, Google's ten). A proxy that
 * sends a request just as we close answers its caller with 502, since it must not send a POST again.
 */
export const KEEP_ALIVE_BEHIND_PROXY_MS = 620_000;

const HEADER_BLOCK_MAX_BYTES = 16 * 1024;

/** On a request that waits for `100 Continue`: sends it. Called by whoever is about to read the body (see `continue.ts`). */
export const sendContinue: unique symbol = Symbol('send 100 Continue');

declare module 'node:http' {
  interface IncomingMessage {
    [sendContinue]?: () => void;
  }
}

/** For Fastify's `serverFactory`, together with `noClientErrorHandler`. The caller listens and closes. */
export function createServer(handler: RequestListener, options: ServerOptions): http.Server {
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const { tls, onRefused } = options;
  const shared = {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: timeouts.checkMs,
    maxHeaderSize: HEADER_BLOCK_MAX_BYTES,
    requireHostHeader: false, // checked by framing.ts: Node would answer in its own form
    insecureHTTPParser: false,
    noDelay: true,
    IncomingMessage: IncomingRequest,
    // Saves a request without a body the reading, ending and closing of a stream.
    optimizeEmptyRequests: true,
    // Not in every Node version that we support; without it, the `upgrade` listener below gets every kind of upgrade.
    shouldUpgradeCallback: asksForWebSocket,
  };
  const server: http.Server =
    tls === null
      ? http.createServer(shared)
      : https.createServer({
          ...shared,
          ...secureOptions(tls),
          handshakeTimeout: timeouts.headersMs,
          ALPNProtocols: ['http/1.1', 'http/1.0'], // `curl --http1.0` offers nothing else
        });
  listConnections(server);
  server.maxHeadersCount = 0; // counted by framing.ts: Node would drop surplus fields silently

  const intake = new Intake({
    begin({ request, response }) {
      forgetTypeOfNothing(request);
      beginAnswer(request, response);
      handler(request, response);
    },
    refuse: ({ request, response }) => handling.refuse(request, response, new Problem('overloaded'), false),
  });
  const handling: Handling = {
    run: (request, response) => intake.take({ request, response }),
    refuse(request, response, problem, isRunning) {
      const isBegun = isRunning && !intake.withdraw(request);
      if (!isBegun) beginAnswer(request, response);
      if (isBegun) request[refusedWith] = problem;
      else onRefused?.(problem, requestIdOf(request));
      answer(response, problem, requestIdOf(request));
    },
  };
  const farewell = (problem: Problem) => (): string => {
    const requestId = randomUUID();
    onRefused?.(problem, requestId);
    return rawErrorResponse(problem, requestId);
  };
  const take = (request: IncomingMessage, response: ServerResponse, problem: Problem | null): void =>
    turnsOf(request.socket, handling).take(request, response, problem);

  // Fires when nothing has moved on a connection, not even out of the queue below Node. Progress comes in steps: Linux lets us write again
  // when a third of its buffer is free, 1.4 MB at most, and a player that reads speech as it plays it takes 30 to 90 seconds for that.
  server.setTimeout(timeouts.stalledMs, (socket) => {
    const { bytesRead } = socket;
    // Node runs timers before it reads sockets: a request that arrived while this process was busy, or stood still, must not be reset.
    setImmediate(() => {
      if (socket.bytesRead > bytesRead) return;
      if (socket.writableLength > 0 || !turnsOf(socket, handling).isBusy) socket.destroy();
    });
  });
  server.on(tls === null ? 'connection' : 'secureConnection', endGently);
  server.on('request', (request, response) => {
    // An upgrade to a protocol that we do not offer is ignored, but Node's parser drops what came after it.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    if (announcesBody(request)) takeRestSlowly(request, response);
    take(request, response, checkFraming(request));
  });
  server.on('upgrade', (request, stream, head) => {
    // Before all else: Node has just removed its own listeners. A client that ends its side has left, as with every other request.
    const leave = (): void => void stream.destroy();
    stream.on('error', leave).on('end', leave);
    const socket = stream as Socket; // an HTTP server's connections are sockets
    const isPipelined = turnsOf(socket, handling).isBusy;
    const response = responseTo(request, { socket, head });
    const problem = isPipelined
      ? new Problem('invalid_request', 'An upgrade must wait until earlier requests on its connection are answered.')
      : checkUpgrade(request);
    take(request, response, problem);
  });
  const unmet = (request: IncomingMessage, response: ServerResponse): void =>
    take(request, response, checkFraming(request) ?? new Problem('expectation_failed'));
  server.on('checkExpectation', unmet);
  server.on('checkContinue', (request, response) => {
    // Node also comes here for a list of which `100-continue` is one member.
    if (request.headers.expect?.toLowerCase() !== '100-continue') {
      unmet(request, response);
      return;
    }
    // A final response without it closes the connection: whether the next bytes are the body or a request is unclear. Node sees to that.
    request[sendContinue] = () => response.writeContinue();
    take(request, response, checkFraming(request));
  });
  server.on('connect', (_request, socket) => {
    socket.on('error', () => socket.destroy()); // Node has just removed its own listeners
    const problem = new Problem('invalid_request', 'CONNECT is not supported.');
    turnsOf(socket, handling).close(problem, farewell(problem));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    if (isLate && turnsOf(socket, handling).isTakingItsTime) return; // Node reports it only once
    const problem = parseProblem(error.code);
    // On a connection that has sent nothing nobody awaits a response, and one could cross with the first request.
    const isUnused = isLate && (socket as Socket).bytesRead === 0;
    if (problem === null || isUnused || !socket.writable) socket.destroy();
    else turnsOf(socket, handling).close(problem, farewell(problem));
  });
  return server;
}

/**
 * Drops the `Content-Type` of a request that mentions no body: Node has already ended it, and a parser chosen by that type would wait
 * for an end that never comes. The same for a DELETE of length 0: some clients put both fields on whatever they send.
 */
function forgetTypeOfNothing(request: IncomingMessage): void {
  const { headers, method } = request;
  if (headers['content-type'] === undefined) return;
  const hasBody = method === 'DELETE' ? announcesBody(request) : mentionsBody(request);
  if (!hasBody) headers['content-type'] = undefined;
}

/** Node has stopped parsing, so a body would be taken for frames. Without `shouldUpgradeCallback` every kind of upgrade comes here. */
function checkUpgrade(request: IncomingMessage): Problem | null {
  return (
    checkFraming(request) ??
    (announcesBody(request) ? new Problem('invalid_request', 'An upgrade must not have a body.') : null)
  );
}

/** Keeps Fastify from adding a second response of its own to everything that `createServer` has already answered. */
export const noClientErrorHandler = (): void => {};

/** `null`: the connection itself is broken (a reset, a failed handshake), so nobody would read a response. */
function parseProblem(code: string | undefined): Problem | null {
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem('headers_too_large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem('request_timeout');
  if (code?.startsWith('HPE_')) return new Problem('invalid_request', 'The request is not well-formed HTTP/1.1.');
  return null;
}

/** Answers without reading the rest of the request; what the client still sends after that is ignored. */
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

/** Node ends a connection after its last response with `destroySoon`, which resets it if the client is still sending. */
function endGently(socket: Socket): void {
  socket.destroySoon = () => endConnection(socket);
}
