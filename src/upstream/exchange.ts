// One request and its answer on an upstream connection, as undici's handler: collects a small answer, knows whether the
// request has left, and ends exactly once.
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { toUpstreamFailure, UpstreamFailure } from './upstream-failure.ts';

/** An access token is under 1 KB; an error page of a gateway may be more, and then its status says enough. */
const BODY_MAX_BYTES = 16_384;

const NO_HEADERS: IncomingHttpHeaders = {};

export class Exchange implements Dispatcher.DispatchHandler {
  /**
   * From the moment undici begins to write. While it is `false`, no byte of the request has left: undici calls
   * `onRequestStart` right before its first write and never earlier, whatever becomes of connection attempts and of
   * kept-alive connections that the peer has closed in the meantime.
   */
  isStarted = false;
  /** 0 until the final answer's head is there. */
  status = 0;
  headers: IncomingHttpHeaders = NO_HEADERS;
  /** Set when there is no complete answer. */
  failure: UpstreamFailure | null = null;
  readonly #ended: (exchange: Exchange) => void;
  #over = false;
  #cancelled: UpstreamFailure | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #first: Buffer | null = null;
  #rest: Buffer[] | null = null;
  #bytes = 0;

  /** @param ended called once, when nothing of this exchange uses a connection any more */
  constructor(ended: (exchange: Exchange) => void) {
    this.#ended = ended;
  }

  /** The whole body, decoded. Empty where it was over the limit. */
  text(): string {
    if (this.#first === null) return '';
    return (this.#rest === null ? this.#first : Buffer.concat([this.#first, ...this.#rest])).toString();
  }

  /** Ends the exchange and its connection now; one that is still being connected ends before it would have been used. */
  cancel(failure: UpstreamFailure): void {
    this.#cancelled = failure;
    this.#controller?.abort(failure);
  }

  /** Ends it where it never came to a connection. */
  fail(failure: UpstreamFailure): void {
    this.#end(failure);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cancelled !== null) controller.abort(this.#cancelled);
    else this.isStarted = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return; // informational: the answer is yet to come
    this.status = status;
    this.headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > BODY_MAX_BYTES) {
      this.#first = null;
      this.#rest = null;
      controller.abort(new UpstreamFailure('oversized', `body over ${BODY_MAX_BYTES} bytes`));
    } else if (this.#first === null) this.#first = chunk;
    else if (this.#rest === null) this.#rest = [chunk];
    else this.#rest.push(chunk);
  }

  onResponseEnd(): void {
    this.#end(null);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(toUpstreamFailure(error));
  }

  #end(failure: UpstreamFailure | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller = null;
    this.failure = failure;
    this.#ended(this);
  }
}
