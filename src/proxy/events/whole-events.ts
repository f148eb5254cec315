// Reassembles server-sent events that arrive in pieces: holds back an incomplete event, so that events can be inspected before they pass.
import { BLANK_LINE_MAX_BYTES, endOfFirstEvent, endOfLastEvent, lengthWithoutLineEnd } from './event-bounds.ts';

/** An event longer than this passes unread: no error event is that long. */
const EVENT_MAX_BYTES = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

export class WholeEvents {
  readonly #look: (events: Buffer) => Buffer;
  #held: Buffer | null = null;
  /** The buffer that begins with `#held`; `null`: `#held` is in other memory. */
  #room: Buffer | null = null;
  #isInside = false;

  /** @param look takes one or more whole events and returns what is sent in their place */
  constructor(look: (events: Buffer) => Buffer) {
    this.#look = look;
  }

  /** The client already has the beginning of an event that was too long to hold back. */
  get isInsideUnread(): boolean {
    return this.#isInside;
  }

  /** The beginning of an event of which nothing was sent. */
  get begun(): Buffer | null {
    return this.#isInside ? null : this.#held;
  }

  /** @returns what may be sent now; `null` while an event is incomplete. A piece of whole events is not copied. */
  push(chunk: Buffer): Buffer | null {
    const bytes = this.#joined(chunk);
    // No event ends within what was held, but its last bytes may be the beginning of a blank line.
    const from = Math.max(0, bytes.length - chunk.length - (BLANK_LINE_MAX_BYTES - 1));
    this.#held = null;
    if (this.#isInside) {
      this.#room = null;
      return this.#passInside(bytes);
    }
    const found = endOfLastEvent(bytes.subarray(from));
    const end = found === 0 ? 0 : from + found;
    if (end > 0) this.#room = null; // what is sent must not be overwritten
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

  /** What is held, followed by `chunk`. Leaves room to grow, so that an event in thousands of pieces is not copied for each of them. */
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

  /** Passes the rest of an event too long to be read. Trailing line ends are held back: the next piece may make them a blank line. */
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
