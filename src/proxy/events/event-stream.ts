// Server-sent events on their way to the client: bytes pass unchanged, except that errors get the broker's shape and a stream that is cut
// gets a final error event.
import { fieldsOf, ttsErrorEvent } from '../../errors/event.ts';
import type { Problem } from '../../errors/problems.ts';
import { type ErrorReading, readErrorEvent } from '../upstream-error-event.ts';
import { audioBytesIn } from './audio-in-events.ts';
import { endOfFirstEvent, endsWithBlankLine, lastEvent } from './event-bounds.ts';
import { errorFrame, eventOf, isError, type ServerSentEvent } from './server-sent-event.ts';
import { WholeEvents } from './whole-events.ts';

export interface EventStreamOptions extends ErrorReading {
  /** From the request; upstream's errors on streams do not contain it. */
  readonly contextId: string | null;
}

const BLANK_LINE = Buffer.from('\n\n');

export class EventStream {
  /** The stream has said how it ended: `done` or an error. */
  isOver = false;
  /** It ended without having said how, so the client got an error event from us. */
  isCut = false;
  /** The code of the error with which upstream ended the stream; `null` if there is none. */
  upstreamError: string | null = null;
  /** Bytes of audio seen in `chunk` events. */
  audioBytes = 0;
  readonly #options: EventStreamOptions;
  readonly #events = new WholeEvents((events) => this.#pass(events));
  /** The whole events that passed last. */
  #last: Buffer | null = null;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  /** @returns what may be sent now; `null` while an event is incomplete */
  push(chunk: Buffer): Buffer | null {
    if (this.upstreamError !== null) return null; // an error is the last event
    return this.#events.push(chunk);
  }

  /**
   * The last bytes for a client whose stream ended without saying how: an error event, never an invented success. A partial event that was
   * held back is dropped, unless it says how the stream ended and lacks only its blank line.
   */
  cut(why: () => Problem): Buffer | null {
    if (this.isOver) return null;
    if (this.#last !== null) this.#noteEnd(eventOf(lastEvent(this.#last)));
    if (this.isOver) return null;
    const { begun, isInsideUnread } = this.#events;
    if (begun !== null) {
      const last = this.#rewritten(begun);
      if (this.isOver) return endsWithBlankLine(last) ? last : Buffer.concat([last, BLANK_LINE]);
    }
    this.isOver = true;
    this.isCut = true;
    const { contextId, requestId } = this.#options;
    const event = errorFrame(ttsErrorEvent(fieldsOf(why(), requestId, contextId)));
    return isInsideUnread ? Buffer.concat([BLANK_LINE, event]) : event;
  }

  /** Takes whole events. A search in the bytes suffices for the usual ones; only what may be an error is parsed. */
  #pass(bytes: Buffer): Buffer {
    const mayBeError = bytes.includes('"error"') || bytes.includes('event: error') || bytes.includes('event:error');
    if (!mayBeError) {
      this.audioBytes += audioBytesIn(bytes);
      this.#last = bytes;
      if (endsWithDone(bytes)) this.isOver = true;
      return bytes;
    }
    const out: Buffer[] = [];
    for (let at = 0; at < bytes.length && this.upstreamError === null; ) {
      const found = endOfFirstEvent(bytes, at);
      const end = found === -1 ? bytes.length : found;
      out.push(this.#rewritten(bytes.subarray(at, end)));
      at = end;
    }
    return Buffer.concat(out);
  }

  #rewritten(bytes: Buffer): Buffer {
    const event = eventOf(bytes);
    if (!isError(event)) {
      this.audioBytes += audioBytesIn(bytes);
      this.#noteEnd(event);
      return bytes;
    }
    const error = readErrorEvent(event.fields ?? { error: event.data }, this.#options.contextId, this.#options);
    this.isOver = true;
    this.upstreamError = error.errorCode ?? 'upstream_error';
    return errorFrame(ttsErrorEvent(error));
  }

  #noteEnd({ fields }: ServerSentEvent): void {
    if (fields?.['done'] === true || fields?.['type'] === 'done') this.isOver = true;
  }
}

/** Looks only at the tail: the event that ends a stream is its last one, and small. */
function endsWithDone(bytes: Buffer): boolean {
  return DONE.test(bytes.toString('latin1', Math.max(0, bytes.length - TAIL_BYTES)));
}

const TAIL_BYTES = 512;
const DONE = /"(?:done"\s*:\s*true|type"\s*:\s*"done")/;
