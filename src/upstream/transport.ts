// What the proxy needs of a way to Cartesia: send one request, hear of its answer piece by piece.
import type { Readable } from 'node:stream';
import type { UpstreamFailure } from './upstream-failure.ts';

export interface UpstreamRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query, ready to send. */
  readonly target: string;
  /** Flat list of names and values, credential and version included. */
  readonly headers: readonly string[];
  /** A stream is destroyed where its answer is whole before it is. */
  readonly body: Buffer | Readable | null;
}

/** Held by whoever handles the answer. */
export interface UpstreamControl {
  /** Ends the exchange and its connection at once. */
  abort(): void;
  pause(): void;
  resume(): void;
}

/** How a handler wants the body: its data, or what came over the wire. */
export type BodyForm = 'data' | 'framed';

/** Called in this order: `onSent`? (`onHead` `onData`* `onEnd`)? or `onFailure` at any moment; nothing after the last of them. */
export interface UpstreamHandler {
  /** The request is on its way; before this, `abort` has nothing to act on and is remembered. */
  onSent(control: UpstreamControl): void;
  /**
   * @param headers flat list of names and values as received, names in any case
   * @param isChunked the body comes in chunks, and this transport can pass them on with their framing
   * @returns `framed`: pass the body on as it stands, size lines and last chunk included. Only where `isChunked`; otherwise ignored
   */
  onHead(status: number, headers: readonly string[], isChunked: boolean): BodyForm;
  /**
   * @param chunk as it arrived; data may be kept. Framed: verified, without extensions and trailers, and only lent
   * @param dataBytes how much of it is data and not framing
   * @param isLast `onEnd` follows at once. Where it is not known it is `false`
   * @returns of what is lent: whether it is still needed, which leaves its memory to the handler; if not, that is read into again
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
