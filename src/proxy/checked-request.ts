// The types of a request that was checked and is to be carried, and of its result.
import type { Readable } from 'node:stream';
import type { Endpoint } from '../upstream/endpoints.ts';
import type { ForwardingOutcome } from './forwarding.ts';
import type { Target } from './target.ts';

/** A request that has passed the checks and may be carried. */
export interface CheckedRequest extends Target {
  readonly endpoint: Endpoint;
  readonly body: UpstreamBody;
  /** From the request's body; error events on a stream repeat it. */
  readonly contextId: string | null;
  /** Sees the body of a successful response as it passes. */
  readonly observe?: (chunk: Buffer) => void;
  /**
   * Called when upstream has no capacity for it (429). `true` = it will be tried again, so the client gets no response yet.
   * @param hintMs how long upstream says to wait; 0 if it does not say
   */
  readonly takeBack?: (hintMs: number) => boolean;
  /** Called once, when everything is over, with what passed. */
  readonly settle: (passed: Passed) => void;
}

export interface UpstreamBody {
  readonly content: Buffer | Readable | null;
  /** Used if the client names no media type. */
  readonly contentType: string | null;
  /** Length of a stream in bytes, if the client has announced it. */
  readonly length: number | null;
}

/** What reached the client. */
export interface Passed {
  /** Bytes of audio: of the body, or decoded from the chunks of an event stream. */
  readonly audioBytes: number;
  readonly outcome: ForwardingOutcome['outcome'];
}
