// What the relay asks of each kind of socket: which messages may pass, what they mean, and how an error looks there.
import type { Problem } from '../../../errors/problems.ts';
import type { ErrorReading } from '../../upstream-error-event.ts';

/** What a protocol may do to the socket it sits in. */
export interface ProtocolHost extends ErrorReading {
  /** Monotonic milliseconds, read about once a second. */
  readonly nowMs: number;
  /** The same, read now. */
  touch(): number;
  /** The client does not keep up: what upstream says is on its way for longer. */
  readonly isClientFull: boolean;
  /** A text message of ours, at the next place where one may stand. */
  toClient(text: string): void;
  toUpstream(text: string): void;
  /** Frames of the client's that were held, as they came. */
  forward(frames: Buffer): void;
  /** Ends the socket: errors first where the protocol has them, then the code. */
  cut(problem: Problem, code: number): void;
}

/** `drop`: refused and answered, or held by the protocol, which forwards it later. */
export type Verdict = 'pass' | 'drop';

/** What one socket consumed. */
export interface SocketUsage {
  /** Unicode code points of transcripts that upstream has taken. */
  characters: number;
  /** Bytes of audio: generated ones that came down, or recorded ones that went up. */
  audioBytes: number;
  audioSeconds: number;
  /** Of an agent's call. */
  callSeconds: number;
}

/**
 * What ends a socket, as far as it matters for who is told.
 * `said_by_upstream`: its close frame, which passes; only readers that do not look at closings are told.
 * `unread_message`: one of the client's, that could not be read; so nobody knows whose it was.
 */
export type Occasion = 'said_by_upstream' | 'unread_message' | 'other';

export interface SocketProtocol {
  /** Whether the client may send binary messages. Where not, `clientText` is told of each as an empty one. */
  readonly takesBinary: boolean;
  readonly usage: Readonly<SocketUsage>;
  /** Something is going on that should be allowed to end before the socket does. */
  readonly isBusy: boolean;
  /** @param payload only for the length of the call. @param keep a copy of the message's frames, to forward later */
  clientText(payload: Buffer, keep: () => Buffer): Verdict;
  /** A binary frame passes, or is dropped where the protocol takes none. @param isFirst of its message */
  clientBinary(bytes: number, isFirst: boolean): void;
  /**
   * A whole text message of upstream's.
   * @returns what the client gets instead; `null` = the message as it is
   */
  upstreamText(bytes: Buffer, start: number, end: number): string | null;
  /** The last messages before the socket is closed. */
  farewell(problem: Problem, occasion: Occasion): readonly string[];
  /** What upstream has to be told when the client has gone, so that it does not go on generating. */
  cancels(): readonly string[];
  /** About once a second. */
  look(): void;
  /** The socket is over. Called once, before its usage is told for the last time. */
  end(): void;
}
