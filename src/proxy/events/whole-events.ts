// Server-sent events in pieces: what is not yet a whole event is held back, so that events can be looked at before they pass.
import { BLANK_LINE_MAX_BYTES, endOfFirstEvent, endOfLastEvent, lengthWithoutLineEnd } from './event-bounds.ts';

/** An event that is longer than this passes unread: no error is. */
const EVENT_MAX_BYTES = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

export class WholeEvents {
  readonly #look: (events: Buffer) => Buffer;
  #held: Buffer | null = null;
  /** What is held lies at its beginning; `null`: it lies elsewhere. */
  #room: Buffer | null = null;
  #isInside = false;

  /** @param look sees whole events, one or several. @returns what leaves in their place */
  constructor(look: (events: Buffer) => Buffer) {
    this.#look = look;
  }

  /** The client has the beginning of an event that was too long to be held back. */
  get isInsideUnread(): boolean {
    return this.#isInside;
  }

  /** The beginning of an event, of which nothing has left. */
  get begun(): Buffer | null {
    return this.#isInside ? null : this.#held;
  }

  /** @returns what may leave now; `null` while an event is incomplete. A piece that ends with an event leaves as it is. */
  push(chunk: Buffer): Buffer | null {
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
      return end === 0 ? rest : Buffer.concat([this.#look(bytes.subarray(0, end)), rest ?? NOTHING]);
    }
    if (end < bytes.length) this.#held = bytes.subarray(end);
    if (end === 0) return null;
    return this.#look(end === bytes.length ? bytes : bytes.subarray(0, end));
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
}
