// Server-sent events on their way through: bytes pass as they came, but for errors, which get the one shape, and a stream that is
// cut, which gets an end.
import { fieldsOf, ttsErrorEvent } from '../../errors/event.ts';
import type { Problem } from '../../errors/problems.ts';
import { type ErrorReading, readErrorEvent } from '../upstream-error-event.ts';
import { audioBytesIn } from './audio-in-events.ts';
import { endOfFirstEvent, endsWithBlankLine, lastEvent } from './event-bounds.ts';
import { errorFrame, eventOf, isError, type ServerSentEvent } from './server-sent-event.ts';
import { WholeEvents } from './whole-events.ts';

export interface EventStreamOptions extends ErrorReading {
  /** Of the request; upstream's errors on streams do not carry it. */
  readonly contextId: string | null;
}

const BLANK_LINE = Buffer.from('\n\n');

export class EventStream {
  /** The stream has said how it ended: `done` or an error. */
  isOver = false;
  /** The code of the error that upstream has ended it with; `null` while there is none. */
  upstreamError: string | null = null;
  /** Bytes of audio seen in `chunk` events. */
  audioBytes = 0;
  readonly #options: EventStreamOptions;
  readonly #events = new WholeEvents((events) => this.#pass(events));
  /** What passed last: whole events. */
  #last: Buffer | null = null;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  /** @returns what may leave now; `null` while an event is incomplete */
  push(chunk: Buffer): Buffer | null {
    if (this.upstreamError !== null) return null; // an error is the last event
    return this.#events.push(chunk);
  }

  /**
   * The last thing a client sees of a stream that ended without saying so: an error event, never an invented success.
   * What was held back is half an event and is dropped, unless it says how the stream ended and lacks only its blank line.
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
    const { contextId, requestId } = this.#options;
    const event = errorFrame(ttsErrorEvent(fieldsOf(why(), requestId, contextId)));
    return isInsideUnread ? Buffer.concat([BLANK_LINE, event]) : event;
  }

  /** Whole events. The usual ones are told by a search in the bytes; only what may be an error is parsed. */
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

/** The event that ends a stream is its last and is small: only the tail is looked at. */
function endsWithDone(bytes: Buffer): boolean {
  return DONE.test(bytes.toString('latin1', Math.max(0, bytes.length - TAIL_BYTES)));
}

const TAIL_BYTES = 512;
const DONE = /"(?:done"\s*:\s*true|type"\s*:\s*"done")/;
