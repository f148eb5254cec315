// What is carried: a request that was found worth it, and what becomes of it.
import type { Readable } from 'node:stream';
import type { Endpoint } from '../upstream/endpoints.ts';
import type { ForwardingOutcome } from './forwarding.ts';
import type { Target } from './target.ts';

/** A request that was found worth carrying. */
export interface Cargo extends Target {
  readonly endpoint: Endpoint;
  readonly body: UpstreamBody;
  /** Of the request's body; errors on event streams carry it. */
  readonly contextId: string | null;
  /** Sees the body of a good answer as it passes. */
  readonly observe?: (chunk: Buffer) => void;
  /**
   * Upstream has no room for it (429): `true` = whoever sent it off tries again, and the client is told nothing yet.
   * @param hintMs how long upstream says to wait; 0 where it says nothing
   */
  readonly takeBack?: (hintMs: number) => boolean;
  /** Told once, when everything is over: what passed. */
  readonly settle: (passed: Passed) => void;
}

export interface UpstreamBody {
  readonly content: Buffer | Readable | null;
  /** Stands in where the client names no media type. */
  readonly contentType: string | null;
  /** Length of a stream where the client has announced it, bytes. */
  readonly length: number | null;
}

/** What reached the client. */
export interface Passed {
  /** Bytes of audio: of the body, or of the chunks in an event stream. */
  readonly audioBytes: number;
  readonly outcome: ForwardingOutcome['outcome'];
}
