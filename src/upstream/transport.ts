// What the proxy needs from a transport to Cartesia: send one request and receive its response piece by piece.
import type { Readable } from 'node:stream';
import type { UpstreamFailure } from './upstream-failure.ts';

export interface UpstreamRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query, ready to send. */
  readonly target: string;
  /** Flat list of names and values, credential and version included. */
  readonly headers: readonly string[];
  /** A stream is destroyed if the response completes before it does. */
  readonly body: Buffer | Readable | null;
}

/** Lets the handler control the exchange. */
export interface UpstreamControl {
  /** Ends the exchange and its connection at once. */
  abort(): void;
  pause(): void;
  resume(): void;
}

/** How a handler wants the body: its data only, or as it came over the wire. */
export type BodyForm = 'data' | 'framed';

/** Called in this order: `onSent`? (`onHead` `onData`* `onEnd`)?, or `onFailure` at any point. Nothing follows `onEnd` or `onFailure`. */
export interface UpstreamHandler {
  /** The request is being sent. Until this call there is nothing to abort, so a handler that wants to abort earlier must remember it. */
  onSent(control: UpstreamControl): void;
  /**
   * @param headers flat list of names and values as received, names in any case
   * @param isChunked the body is chunked, and this transport can pass it on with its framing
   * @returns `framed`: pass the body on with its framing, size lines and last chunk included. Ignored unless `isChunked`
   */
  onHead(status: number, headers: readonly string[], isChunked: boolean): BodyForm;
  /**
   * @param chunk as it arrived. `data` may be kept; `framed` is verified, free of extensions and trailers, and only lent
   * @param dataBytes how many of its bytes are data rather than framing
   * @param isLast `onEnd` follows at once; `false` if that is not known
   * @returns for a lent chunk, whether it is still needed. If so, the handler keeps its memory; if not, the next read reuses it
   */
  onData(chunk: Buffer, dataBytes: number, isLast: boolean): boolean;
  onEnd(): void;
  onFailure(failure: UpstreamFailure): void;
}

export interface UpstreamTransport {
  send(request: UpstreamRequest, handler: UpstreamHandler): void;
  /** Ends every connection. Idempotent. */
  close(): Promise<void>;
}
