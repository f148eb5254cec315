// Server-sent events on their way through: bytes pass as they came, but for errors, which get the one shape, and a stream that is
// cut, which gets an end.
import { type ErrorEventFields, ttsErrorEvent } from '../errors/event.ts';
import { PROBLEMS } from '../errors/problems.ts';
import { isAboutOurKey } from '../upstream/error-body.ts';

export interface EventStreamOptions {
  /** Of the request; upstream's errors on streams do not carry it. */
  readonly contextId: string | null;
  /** Ours, for errors that have no id of upstream's. */
  readonly requestId: string;
  /** Whether a text contains our key. */
  readonly isRevealing: (text: string) => boolean;
  /** Told when an error in the stream says that upstream does not take our key. */
  readonly onKeyRefused: (status: number) => void;
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
  /** The code of the error that upstream has ended it with; `null` while there is none. */
  upstreamError: string | null = null;
  /** Bytes of audio seen in `chunk` events. */
  audioBytes = 0;
  readonly #options: EventStreamOptions;
  #held: Buffer | null = null;
  /** What is held lies at its beginning; `null`: it lies elsewhere. */
  #room: Buffer | null = null;
  /** What passed last: whole events. */
  #last: Buffer | null = null;
  /** The client has the beginning of an event that was too long to be held back. */
  #isInside = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  /** @returns what may leave now; `null` while an event is incomplete */
  push(chunk: Buffer): Buffer | null {
    if (this.upstreamError !== null) return null; // an error is the last event
    const bytes = this.#joined(chunk);
    // No event ends in what was held, but the line end that is its last may be the first half of a blank line.
    const from = Math.max(0, bytes.length - chunk.length - (BLANK_LINE_MAX_BYTES - 1));
    this.#held = null;
    if (this.#isInside) {
      this.#room = null;
      return this.#passInside(bytes);
    }
    const found = endOfLastEvent(bytes.subarray(from));
    const end = found === 0 ? 0 : from + found;
    if (end > 0) this.#room = null; // what leaves must stay as it is
    if (bytes.length - end > EVENT_MAX_BYTES) {
      this.#isInside = true;
      this.#room = null;
      const rest = this.#passInside(bytes.subarray(end));
      return end === 0 ? rest : Buffer.concat([this.#pass(bytes.subarray(0, end)), rest ?? NOTHING]);
    }
    if (end < bytes.length) this.#held = bytes.subarray(end);
    if (end === 0) return null;
    return this.#pass(end === bytes.length ? bytes : bytes.subarray(0, end));
  }

  /**
   * The last thing a client sees of a stream that ended without saying so: an error event, never an invented success.
   * What was held back is half an event and is dropped, unless it says how the stream ended and lacks only its blank line.
   */
  cut(fields: Omit<ErrorEventFields, 'contextId' | 'requestId'>): Buffer | null {
    if (this.isOver) return null;
    if (this.#last !== null) this.#noteEnd(eventOf(lastEvent(this.#last)));
    if (this.isOver) return null;
    if (this.#held !== null && !this.#isInside) {
      const last = this.#rewritten(this.#held);
      if (this.isOver) return endsWithBlankLine(last) ? last : Buffer.concat([last, BLANK_LINE]);
    }
    this.isOver = true;
    const { contextId, requestId } = this.#options;
    const event = frame(ttsErrorEvent({ ...fields, contextId, requestId }));
    return this.#isInside ? Buffer.concat([BLANK_LINE, event]) : event;
  }

  /** What is held, and this behind it. An event in thousands of pieces is not copied anew for each of them. */
  #joined(chunk: Buffer): Buffer {
    const held = this.#held;
    if (held === null) {
      this.#room = null;
      return chunk;
    }
    const length = held.length + chunk.length;
    if (this.#room === null || this.#room.length < length) {
      this.#room = Buffer.allocUnsafe(held.length > 4 * chunk.length ? 2 * length : length);
      held.copy(this.#room);
    }
    chunk.copy(this.#room, held.length);
    return this.#room.subarray(0, length);
  }

  /** The rest of an event that is too long to be read. Line ends at the end wait: the next piece may make them a blank line. */
  #passInside(bytes: Buffer): Buffer | null {
    const end = endOfFirstEvent(bytes, 0);
    if (end === -1) {
      const length = lengthWithoutLineEnd(bytes);
      if (length < bytes.length) this.#held = bytes.subarray(length);
      return length === 0 ? null : bytes.subarray(0, length);
    }
    this.#isInside = false;
    const rest = end === bytes.length ? null : this.push(bytes.subarray(end));
    const first = bytes.subarray(0, end);
    return rest === null ? first : Buffer.concat([first, rest]);
  }

  /** Whole events. The usual ones are told by a search in the bytes; only what may be an error is parsed. */
  #pass(bytes: Buffer): Buffer {
    const mayBeError = bytes.includes('"error"') || bytes.includes('event: error') || bytes.includes('event:error');
    if (!mayBeError) {
      this.audioBytes += audioBytesOf(bytes);
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
      this.audioBytes += audioBytesOf(bytes);
      this.#noteEnd(event);
      return bytes;
    }
    const error = this.#errorOf(event.fields ?? { error: event.data });
    this.isOver = true;
    this.upstreamError = error.errorCode ?? 'upstream_error';
    return frame(ttsErrorEvent(error));
  }

  #noteEnd({ fields }: ServerSentEvent): void {
    if (fields?.['done'] === true || fields?.['type'] === 'done') this.isOver = true;
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
    const said = fields['status_code'];
    const status = typeof said === 'number' && Number.isInteger(said) && said >= 400 && said <= 599 ? said : 500;
    const errorCode = text('error_code');
    const { contextId } = this.#options;
    const title = text('title') ?? (legacy !== null && colon > 0 ? legacy.slice(0, colon) : null);
    if (isAboutOurKey(status, { errorCode, title })) {
      this.#options.onKeyRefused(status);
      return { ...KEY_REFUSED, requestId: this.#options.requestId, contextId };
    }
    const docUrl = text('doc_url');
    return {
      status,
      errorCode,
      title: title ?? 'Upstream error',
      message:
        text('message') ??
        (legacy !== null ? legacy.slice(colon > 0 ? colon + 2 : 0) : 'Cartesia ended the stream with an error.'),
      requestId: text('request_id') ?? this.#options.requestId,
      source: 'upstream',
      contextId: text('context_id') ?? contextId,
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

const KEY_REFUSED = {
  status: PROBLEMS.upstream_rejected.status,
  errorCode: 'upstream_rejected',
  title: PROBLEMS.upstream_rejected.title,
  message: PROBLEMS.upstream_rejected.message,
  source: 'broker',
} as const;

const NOTHING = Buffer.alloc(0);
const BLANK_LINE_MAX_BYTES = 4;
const BLANK_LINE = Buffer.from('\n\n');

function frame(event: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(`event: error\ndata: ${JSON.stringify(event)}\n\n`);
}

/** Index behind the last blank line, 0 where there is none. */
function endOfLastEvent(bytes: Buffer): number {
  const lf = bytes.lastIndexOf('\n\n');
  const crlf = bytes.lastIndexOf('\r\n\r\n');
  return Math.max(lf === -1 ? 0 : lf + 2, crlf === -1 ? 0 : crlf + 4);
}

/** Index behind the first blank line, -1 where there is none. */
function endOfFirstEvent(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** The last of whole events. */
function lastEvent(bytes: Buffer): Buffer {
  const before = endOfLastEvent(bytes.subarray(0, lengthWithoutLineEnd(bytes)));
  return bytes.subarray(before);
}

function lengthWithoutLineEnd(bytes: Buffer): number {
  let length = bytes.length;
  while (length > 0 && (bytes[length - 1] === LF || bytes[length - 1] === CR)) length -= 1;
  return length;
}

function endsWithBlankLine(bytes: Buffer): boolean {
  return endOfLastEvent(bytes) === bytes.length;
}

interface ServerSentEvent {
  /** Of its `event` line; empty where it has none. */
  readonly name: string;
  /** Its `data` lines, joined. */
  readonly data: string;
  /** The JSON object in the data; `null` where it is none. */
  readonly fields: Readonly<Record<string, unknown>> | null;
}

function isError({ name, data, fields }: ServerSentEvent): boolean {
  return fields?.['type'] === 'error' || (name === 'error' && data !== '');
}

function eventOf(bytes: Buffer): ServerSentEvent {
  let name = '';
  const lines: string[] = [];
  for (const line of bytes.toString('utf8').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const value = line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1);
    if (line.startsWith('data:')) lines.push(value);
    else if (line.startsWith('event:')) name = value;
  }
  const data = lines.join('\n');
  return { name, data, fields: objectIn(data) };
}

function objectIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null; // any object reads so
  } catch {
    return null;
  }
}

/** Decoded length of the base64 texts that are values of `"data"`, counted and not decoded. */
function audioBytesOf(bytes: Buffer): number {
  let total = 0;
  for (let at = bytes.indexOf('"data"'); at !== -1; at = bytes.indexOf('"data"', at + 1)) {
    const open = openingQuote(bytes, at + 6);
    if (open === -1) continue; // a word of a transcript, not a name
    const close = bytes.indexOf(QUOTE, open + 1);
    if (close === -1) break;
    const padding = bytes[close - 1] === 0x3d ? (bytes[close - 2] === 0x3d ? 2 : 1) : 0;
    total += Math.max(0, Math.floor(((close - open - 1) * 3) / 4) - padding);
    at = close;
  }
  return total;
}

const QUOTE = 0x22;
const COLON = 0x3a;
const SPACE = 0x20;

/** Index of the quote behind a colon, -1 where something else comes. */
function openingQuote(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === SPACE) at += 1;
  if (bytes[at] !== COLON) return -1;
  at += 1;
  while (bytes[at] === SPACE) at += 1;
  return bytes[at] === QUOTE ? at : -1;
}
