// One mint request and its small response on an upstream connection, as a handler for undici: collects the body, knows whether the request was
// sent, and ends exactly once.
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { isInterim } from './interim-status.ts';
import { toUpstreamFailure, UpstreamFailure } from './upstream-failure.ts';

/** An access token is under 1 KB. A gateway's error page may be longer than this, but then its status says enough. */
const BODY_MAX_BYTES = 16_384;

const NO_HEADERS: IncomingHttpHeaders = {};

export class MintExchange implements Dispatcher.DispatchHandler {
  /**
   * `true` from the moment undici begins to write. While it is `false`, no byte of the request has been sent: undici calls `onRequestStart`
   * right before its first write and never earlier, even if connection attempts fail or the peer has closed a kept-alive connection.
   */
  isStarted = false;
  /** 0 until the head of the final response has arrived. */
  status = 0;
  headers: IncomingHttpHeaders = NO_HEADERS;
  /** Set at the end if there is no complete response. */
  failure: UpstreamFailure | null = null;
  readonly #ended: (exchange: MintExchange) => void;
  #over = false;
  #cancelled: UpstreamFailure | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #first: Buffer | null = null;
  #rest: Buffer[] | null = null;
  #bytes = 0;

  /** @param ended called once, when this exchange no longer uses a connection */
  constructor(ended: (exchange: MintExchange) => void) {
    this.#ended = ended;
  }

  /** The whole body as text; empty if it exceeded the limit. */
  text(): string {
    if (this.#first === null) return '';
    return (this.#rest === null ? this.#first : Buffer.concat([this.#first, ...this.#rest])).toString();
  }

  /** Ends the exchange and its connection now, or, if it has no connection yet, as soon as it gets one and before anything is sent. */
  cancel(failure: UpstreamFailure): void {
    this.#cancelled = failure;
    this.#controller?.abort(failure);
  }

  /** Ends an exchange that was never dispatched. */
  fail(failure: UpstreamFailure): void {
    this.#end(failure);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cancelled !== null) controller.abort(this.#cancelled);
    else this.isStarted = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (isInterim(status)) return;
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
