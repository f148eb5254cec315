// Server-sent events on their way through: bytes pass as they came, but for errors, which get the one shape, and a stream that is
// cut, which gets an end.
import { type ErrorEventFields, ttsErrorEvent } from '../errors/event.ts';

export interface EventStreamOptions {
  /** Of the request; upstream's errors on streams do not carry it. */
  readonly contextId: string | null;
  /** Ours, for errors that have no id of upstream's. */
  readonly requestId: string;
  /** Whether a text contains our key. */
  readonly isRevealing: (text: string) => boolean;
}

/** An event that is longer than this passes unread: no error is. */
const EVENT_MAX_BYTES = 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;

/**
 * Holds back only what is not yet a whole event, so a piece that ends with an event leaves as it is.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventStream {
  /** The stream has said how it ended: `done` or an error. */
  isOver = false;
  /** Bytes of audio seen in `chunk` events. */
  audioBytes = 0;
  readonly #options: EventStreamOptions;
  #held: Buffer | null = null;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  /** @returns what may leave now; `null` while an event is incomplete */
  push(chunk: Buffer): Buffer | null {
    const bytes = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = null;
    const end = endOfLastEvent(bytes);
    if (end < bytes.length) {
      if (bytes.length - end > EVENT_MAX_BYTES) return bytes;
      this.#held = bytes.subarray(end);
    }
    if (end === 0) return null;
    return this.#pass(end === bytes.length ? bytes : bytes.subarray(0, end));
  }

  /**
   * The last thing a client sees of a stream that ended without saying so: an error event, never an invented success.
   * What was held back is half an event and is dropped.
   */
  cut(fields: Omit<ErrorEventFields, 'contextId' | 'requestId'>): Buffer | null {
    if (this.isOver) return null;
    this.isOver = true;
    const { contextId, requestId } = this.#options;
    return frame(ttsErrorEvent({ ...fields, contextId, requestId }));
  }

  /** Whole events. The usual ones are told by a search in the bytes; only what may be an error is parsed. */
  #pass(bytes: Buffer): Buffer {
    if (bytes.includes('"data"')) this.audioBytes += audioBytesOf(bytes);
    const mayBeError = bytes.includes('"error"') || bytes.includes('event: error') || bytes.includes('event:error');
    if (!mayBeError) {
      if (endsWithDone(bytes)) this.isOver = true;
      return bytes;
    }
    const out: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = endOfFirstEvent(bytes, at);
      out.push(this.#rewritten(bytes.subarray(at, end)));
      at = end;
    }
    return Buffer.concat(out);
  }

  #rewritten(event: Buffer): Buffer {
    const fields = eventData(event);
    if (fields === null) return event;
    if (fields['type'] !== 'error') {
      if (fields['done'] === true || fields['type'] === 'done') this.isOver = true;
      return event;
    }
    this.isOver = true;
    return frame(ttsErrorEvent(this.#errorOf(fields)));
  }

  #errorOf(fields: Readonly<Record<string, unknown>>): ErrorEventFields {
    const isSecret = this.#options.isRevealing(JSON.stringify(fields));
    const text = (name: string): string | null => {
      const value = fields[name];
      return typeof value === 'string' && value !== '' && !isSecret ? value : null;
    };
    // The older form is one text, "Title: Message".
    const legacy = text('error');
    const colon = legacy?.indexOf(': ') ?? -1;
    const status = fields['status_code'];
    const docUrl = text('doc_url');
    return {
      status: typeof status === 'number' && Number.isInteger(status) ? status : 500,
      errorCode: text('error_code'),
      title: text('title') ?? (legacy !== null && colon > 0 ? legacy.slice(0, colon) : 'Upstream error'),
      message:
        text('message') ??
        (legacy !== null ? legacy.slice(colon > 0 ? colon + 2 : 0) : 'Cartesia ended the stream with an error.'),
      requestId: text('request_id') ?? this.#options.requestId,
      source: 'upstream',
      contextId: text('context_id') ?? this.#options.contextId,
      ...(docUrl === null ? {} : { docUrl }),
    };
  }
}

/** The event that ends a stream is its last and is small: only the tail is looked at. */
function endsWithDone(bytes: Buffer): boolean {
  return DONE.test(bytes.toString('latin1', Math.max(0, bytes.length - TAIL_BYTES)));
}

const TAIL_BYTES = 512;
const DONE = /"(?:done"\s*:\s*true|type"\s*:\s*"done")/;

function frame(event: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(`event: error\ndata: ${JSON.stringify(event)}\n\n`);
}

/** Index behind the last blank line, 0 where there is none. */
function endOfLastEvent(bytes: Buffer): number {
  const lf = bytes.lastIndexOf('\n\n');
  const crlf = bytes.lastIndexOf('\r\n\r\n');
  return Math.max(lf === -1 ? 0 : lf + 2, crlf === -1 ? 0 : crlf + 4);
}

function endOfFirstEvent(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return bytes.length;
}

/** The JSON object in an event's `data` lines. */
function eventData(event: Buffer): Readonly<Record<string, unknown>> | null {
  const data = event
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(line.charCodeAt(5) === 0x20 ? 6 : 5))
    .join('\n');
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null; // any object reads so
  } catch {
    return null;
  }
}

/** Decoded length of the base64 texts behind `"data":`, counted and not decoded. */
function audioBytesOf(bytes: Buffer): number {
  let total = 0;
  for (let at = bytes.indexOf('"data"'); at !== -1; at = bytes.indexOf('"data"', at + 6)) {
    const open = bytes.indexOf(0x22, at + 6);
    const close = open === -1 ? -1 : bytes.indexOf(0x22, open + 1);
    if (close === -1) break;
    const padding = bytes[close - 1] === 0x3d ? (bytes[close - 2] === 0x3d ? 2 : 1) : 0;
    total += Math.max(0, Math.floor(((close - open - 1) * 3) / 4) - padding);
  }
  return total;
}
