// Sends one request, and retries once if nothing of it was sent.
import type { Dispatcher } from 'undici';
import { MintExchange } from './mint-exchange.ts';
import { type FailureKind, toUpstreamFailure, UpstreamFailure } from './upstream-failure.ts';

export interface DispatcherSource {
  /** `null` until loaded. */
  readonly dispatcher: Dispatcher | null;
  load(): Promise<Dispatcher>;
}

export interface SendingListener {
  onRetry(failure: UpstreamFailure): void;
  /** Called once, when the sending no longer uses a connection. */
  onEnd(exchange: MintExchange): void;
}

export class Sending {
  readonly #source: DispatcherSource;
  readonly #request: Dispatcher.DispatchOptions;
  readonly #listener: SendingListener;
  #exchange: MintExchange | null = null;
  #isRetried = false;
  #cancelled: UpstreamFailure | null = null;

  constructor(source: DispatcherSource, request: Dispatcher.DispatchOptions, listener: SendingListener) {
    this.#source = source;
    this.#request = request;
    this.#listener = listener;
  }

  /** Upstream's status, 0 while there is none. */
  get status(): number {
    return this.#exchange?.status ?? 0;
  }

  start(): void {
    const exchange = new MintExchange((ended) => this.#onEnd(ended));
    this.#exchange = exchange;
    const { dispatcher } = this.#source;
    if (dispatcher !== null) {
      dispatcher.dispatch(this.#request, exchange);
      return;
    }
    this.#source.load().then(
      (loaded) => {
        if (this.#cancelled === null) loaded.dispatch(this.#request, exchange);
        else exchange.fail(this.#cancelled);
      },
      (error: unknown) => {
        const failure = toUpstreamFailure(error);
        const isOurs = failure.kind !== 'exhausted';
        exchange.fail(isOurs ? new UpstreamFailure('internal', failure.code, 'HTTP client') : failure);
      },
    );
  }

  /** Ends it now if it has a connection; otherwise as soon as it gets one, before the request is sent. */
  cancel(failure: UpstreamFailure): void {
    this.#cancelled = failure;
    this.#exchange?.cancel(failure);
  }

  #onEnd(exchange: MintExchange): void {
    const { failure } = exchange;
    if (failure === null || !this.#mayRetry(exchange, failure)) {
      this.#listener.onEnd(exchange);
      return;
    }
    this.#isRetried = true;
    this.#listener.onRetry(failure);
    this.start();
  }

  /**
   * A mint is not repeated once a byte of it may have been sent: Cartesia may have acted on it. Where one connection failed, another may
   * succeed, but not with a bad certificate, after a fault of ours, or when no more connections can be opened.
   */
  #mayRetry(exchange: MintExchange, failure: UpstreamFailure): boolean {
    if (exchange.isStarted || this.#isRetried || this.#cancelled !== null) return false;
    return !IN_VAIN.has(failure.kind);
  }
}

/** Failures that a second try would meet again. */
const IN_VAIN: ReadonlySet<FailureKind> = new Set(['tls', 'internal', 'exhausted']);
