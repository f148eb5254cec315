// The transport over undici's dispatcher.
import type { Dispatcher } from 'undici';
import { type ConnectionPoolOptions, createConnectionPool } from './connection-pool.ts';
import { isInterim } from './interim-status.ts';
import type { UpstreamHandler, UpstreamRequest, UpstreamTransport } from './transport.ts';
import { toUpstreamFailure } from './upstream-failure.ts';

export function createUndiciTransport(options: ConnectionPoolOptions): UpstreamTransport {
  const pool = createConnectionPool(options);

  function dispatch(dispatcher: Dispatcher, request: UpstreamRequest, handler: UpstreamHandler): void {
    const { method, target, headers, body } = request;
    // undici only reads the list, although its type does not say so.
    const options = { method, path: target, headers: headers as string[], body, idempotent: false };
    dispatcher.dispatch(options, new DispatchHandler(handler));
  }

  return {
    send(request, handler) {
      if (pool.dispatcher !== null) dispatch(pool.dispatcher, request, handler);
      else
        pool.load().then(
          (dispatcher) => dispatch(dispatcher, request, handler),
          (error: unknown) => handler.onFailure(toUpstreamFailure(error)),
        );
    },
    close: () => pool.close(),
  };
}

class DispatchHandler implements Dispatcher.DispatchHandler {
  readonly #handler: UpstreamHandler;
  /** Bytes of the body still to come; `NaN` if the length was not announced. */
  #left = Number.NaN;

  constructor(handler: UpstreamHandler) {
    this.#handler = handler;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#handler.onSent({
      abort: () => controller.abort(new Error('aborted')),
      pause: () => controller.pause(),
      resume: () => controller.resume(),
    });
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (isInterim(status)) return;
    const headers = flatHeaders(controller.rawHeaders);
    this.#left = bodyLength(headers);
    this.#handler.onHead(status, headers, false);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#left -= chunk.length;
    this.#handler.onData(chunk, chunk.length, this.#left === 0);
  }

  onResponseEnd(): void {
    this.#handler.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#handler.onFailure(toUpstreamFailure(error));
  }
}

function flatHeaders(raw: unknown): string[] {
  const flat: string[] = [];
  if (Array.isArray(raw))
    for (const item of raw) flat.push(Buffer.isBuffer(item) ? item.toString('latin1') : String(item));
  return flat;
}

/** The announced length, or `NaN`. undici has made sure that there is at most one such field and that it is a number. */
function bodyLength(headers: readonly string[]): number {
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at];
    if (name?.length === 14 && name.toLowerCase() === 'content-length') return Number(headers[at + 1]);
  }
  return Number.NaN;
}
