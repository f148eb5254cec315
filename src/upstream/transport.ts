// What the proxy needs of a way to Cartesia: send one request, hear of its answer piece by piece.
import type { Readable } from 'node:stream';
import type { UpstreamFailure } from './upstream-failure.ts';

export interface UpstreamRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query, ready to send. */
  readonly target: string;
  /** Flat list of names and values, credential and version included. */
  readonly headers: readonly string[];
  readonly body: Buffer | Readable | null;
}

/** Held by whoever handles the answer. */
export interface UpstreamControl {
  /** Ends the exchange and its connection at once. */
  abort(): void;
  pause(): void;
  resume(): void;
}

/** Called in this order: `onSent`? (`onHead` `onData`* `onEnd`)? or `onFailure` at any moment; nothing after the last of them. */
export interface UpstreamHandler {
  /** The request is on its way; before this, `abort` has nothing to act on and is remembered. */
  onSent(control: UpstreamControl): void;
  /** @param headers flat list of names and values as received, names in any case */
  onHead(status: number, headers: readonly string[]): void;
  /** @param chunk as it arrived; the handler may keep it */
  onData(chunk: Buffer): void;
  onEnd(): void;
  onFailure(failure: UpstreamFailure): void;
}

export interface UpstreamTransport {
  send(request: UpstreamRequest, handler: UpstreamHandler): void;
  /** Ends every connection. Idempotent. */
  close(): Promise<void>;
}
