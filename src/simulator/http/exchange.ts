// One HTTP request and its response: the journal entry, the API version, and every way to respond.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { RequestFault } from '../faults.ts';
import { connectionOf, resetConnection } from '../front-door.ts';
import { type OpenEntry, splitTarget } from '../journal.ts';
import { httpErrorBody, type Problem } from '../problems.ts';
import { type ApiVersion, resolveVersion } from '../version.ts';
import type { World } from '../world.ts';

/** Where the body of a response ends too early, and how. */
export interface BodyCut {
  readonly afterBytes: number;
  readonly end: 'fin' | 'reset';
}

export type HeaderFields = Readonly<Record<string, string | number>>;

/** Thrown when the client has gone or a fault has ended the connection, to stop the code that is responding. */
export class ExchangeOver extends Error {
  override readonly name = 'ExchangeOver';
}

export class Exchange {
  readonly world: World;
  readonly request: IncomingMessage;
  readonly entry: OpenEntry;
  readonly requestId = randomUUID();
  readonly version: ApiVersion;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly fault: RequestFault | null;
  /** Set by a fault that lets the response begin and then cuts it off. */
  cut: BodyCut | null = null;
  /** Set by a fault: header fields to add to the response. */
  extraHeaders: HeaderFields = {};
  /** Aborted as soon as nobody is left to read the response. */
  readonly signal: AbortSignal;
  #response: ServerResponse;
  #sent = 0;

  constructor(world: World, request: IncomingMessage, response: ServerResponse) {
    const { method = 'GET', url = '/' } = request;
    const [path, search] = splitTarget(url);
    this.world = world;
    this.request = request;
    this.#response = response;
    this.path = path;
    this.query = new URLSearchParams(search);
    // A query parameter names the version on WebSockets only.
    this.version = resolveVersion(world.settings.versions, { header: versionHeader(request) });
    this.entry = openEntry(world, request, { transport: 'http', requestId: this.requestId });
    this.fault = world.faults.takeForRequest({ method, path });
    const controller = new AbortController();
    this.signal = controller.signal;
    response.once('close', () => {
      // 'close' also follows a response that completed; the signal then has no listeners any more.
      if (this.entry.outcome === 'completed') return;
      world.journal.update(this.entry, { outcome: 'aborted' });
      controller.abort();
    });
    request.on('data', (chunk: Buffer) => world.journal.received(this.entry, chunk)).pause();
    // A body that an early response left unread would block the next request on this connection: with a 'data' listener in place, Node
    // does not discard it.
    response.once('finish', () => request.resume());
  }

  /** Sends everything from here on through another response object, for faults that shape the raw bytes. */
  useResponse(response: ServerResponse): void {
    this.#response = response;
  }

  /** Whether the status line has been sent. */
  get started(): boolean {
    return this.#response.headersSent;
  }

  sendJson(status: number, body: unknown, headers: HeaderFields = {}): Promise<void> {
    return this.send(status, JSON.stringify(body), { 'content-type': 'application/json', ...headers });
  }

  /** Sends an error in the form of the request's API version. */
  sendProblem(problem: Problem, headers: HeaderFields = {}): Promise<void> {
    const { contentType, body } = httpErrorBody(problem, {
      structured: this.version.structured,
      requestId: this.requestId,
    });
    return this.send(problem.status, body, { 'content-type': contentType, ...headers });
  }

  /** Sends a whole response with its length. */
  async send(status: number, body: string | Uint8Array, headers: HeaderFields = {}): Promise<void> {
    this.start(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    await this.write(body);
    await this.end();
  }

  /** Sends status line and headers; without a `content-length` the body is chunked. */
  start(status: number, headers: HeaderFields): void {
    this.world.journal.update(this.entry, { status });
    const cors = this.world.settings.cors ? CORS : {};
    this.#response.writeHead(status, { ...headers, 'x-request-id': this.requestId, ...cors, ...this.extraHeaders });
    // Headers go out before the first byte of the body, as Cartesia's do: clients measure both.
    if (headers['content-length'] === undefined) this.#response.flushHeaders();
  }

  /**
   * Sends a part of the body and waits until the client takes it.
   * @throws ExchangeOver if there is nobody left to send to
   */
  async write(chunk: string | Uint8Array): Promise<void> {
    if (this.signal.aborted) throw new ExchangeOver();
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    const room = this.cut === null ? bytes.length : Math.min(bytes.length, this.cut.afterBytes - this.#sent);
    this.#sent += room;
    this.entry.bytesOut += room;
    if (room > 0 && !this.#response.write(bytes.subarray(0, room))) await this.#drained();
    if (this.cut !== null && this.#sent >= this.cut.afterBytes) await this.cutNow(this.cut.end);
  }

  /** Ends the response. */
  async end(): Promise<void> {
    if (this.signal.aborted) throw new ExchangeOver();
    if (this.cut !== null) await this.cutNow(this.cut.end);
    this.world.journal.update(this.entry, { outcome: 'completed' });
    this.#response.end();
  }

  /**
   * Ends the connection in the middle of the response, after everything written so far has been sent.
   * @throws ExchangeOver always
   */
  async cutNow(end: BodyCut['end']): Promise<never> {
    // Otherwise the headers would wait for the first byte of the body, which may never come.
    this.#response.flushHeaders();
    await new Promise<void>((resolve) => {
      // The callback of an empty write runs after everything before it was written; 'abort' comes first if the client leaves.
      this.signal.addEventListener('abort', () => resolve(), { once: true });
      this.request.socket.write('', () => resolve());
    });
    this.endConnection(end);
    throw new ExchangeOver();
  }

  /** Ends the connection now, on behalf of a fault. */
  endConnection(end: BodyCut['end']): void {
    this.world.journal.update(this.entry, { outcome: 'faulted' });
    if (end === 'reset') resetConnection(this.request.socket);
    else {
      this.request.socket.end();
      // Behind an unread body nobody would notice that the client closes too.
      this.request.resume();
    }
  }

  /** Waits; stops at once if the client leaves. @throws ExchangeOver then */
  async delay(ms: number): Promise<void> {
    if (ms <= 0) return;
    await sleep(ms, undefined, { signal: this.signal }).catch(() => {
      throw new ExchangeOver();
    });
  }

  /**
   * Waits between two pieces of an answer. Also without a time to wait the other connections have their turn, and a client that left
   * is noticed: writing to one that reads as fast as this writes never waits for anything.
   */
  async pause(ms: number): Promise<void> {
    if (ms > 0) return this.delay(ms);
    await nextTurn();
  }

  async #drained(): Promise<void> {
    await once(this.#response, 'drain', { signal: this.signal }).catch(() => {
      throw new ExchangeOver();
    });
  }
}

/** Opens the journal entry of a request or upgrade. */
export function openEntry(
  world: World,
  request: IncomingMessage,
  as: { readonly transport: OpenEntry['transport']; readonly requestId: string },
): OpenEntry {
  const { method = 'GET', url = '/', headers, rawHeaders } = request;
  const { id: connection, secure } = connectionOf(request.socket);
  return world.journal.open({ ...as, connection, secure, at: world.clock.now(), method, url, headers, rawHeaders });
}

/** The first `Cartesia-Version` header. */
export function versionHeader(request: IncomingMessage): string | undefined {
  const value = request.headers['cartesia-version'];
  return Array.isArray(value) ? value[0] : value;
}

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'x-request-id, cartesia-request-id, retry-after, retry-after-ms, x-should-retry',
};
