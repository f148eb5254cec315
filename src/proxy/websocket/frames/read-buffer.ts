// The buffer that bytes from upstream are read into, reused instead of made anew for every read.
//
// A silent socket holds no memory: all sockets read into one common buffer, from which what arrives is copied at once. As soon as more
// arrives, the socket gets a large buffer of its own, until only a little arrives at a time again. There, an incomplete frame stays where it
// is and the next read goes after it, so that frames are in one piece and need not be joined. Bytes that the client's socket has not taken
// yet must not be overwritten: then the buffer is left to that write, and reading goes on in another.
//
// The room for the next read is asked for at the end of a read. From then on it is in use, and nothing is moved until that read has arrived.
import { giveBack, LentBuffer, takeLarge } from './large-buffers.ts';

/** Size of the common buffer. A read that fills it is followed by larger ones. */
export const SMALL_BYTES = 2048;
const COMMON = Buffer.allocUnsafeSlow(SMALL_BYTES);
const NOTHING = Buffer.alloc(0);

export class ReadBuffer {
  /** The socket's own large buffer; `null` = it reads into the common one. */
  #own: Buffer | null = null;
  #bytes: Buffer = NOTHING;
  #start = 0;
  #end = 0;
  /** A read has arrived, and the room for the next one has not been asked for yet. */
  #isReading = false;
  /** The bytes before `#start`, if a write refers to them. */
  #lent: LentBuffer | null = null;

  /** What was read is in it, from `start` to `end`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** Room for the next read; never empty after `consume`. Must be asked for again after each read. */
  get room(): Buffer {
    this.#isReading = false;
    if (this.#own === null) return COMMON;
    return this.#end === 0 ? this.#own : this.#own.subarray(this.#end);
  }

  /** Whether the next read goes after what is there, with room for at least `length` bytes. */
  hasRoomFor(length: number): boolean {
    return this.#own !== null && this.#end + length <= this.#own.length;
  }

  /** A read has put `length` bytes into the room. */
  filled(length: number): void {
    this.#isReading = true;
    this.#end += length;
    if (this.#own === null) this.#bytes = Buffer.from(COMMON.subarray(0, length));
    else if (this.#start > 0) this.#moveToFront(this.#own, this.#start);
  }

  /**
   * Bytes before `at` are finished with.
   * @param isLent a write still refers to them: call `over` on what is returned when that write is over
   */
  consume(at: number, isLent: boolean): LentBuffer | null {
    const bytes = this.#bytes;
    const own = this.#own;
    // What was read into the common buffer has been copied by now, so a write may keep the copy.
    const lent = own !== null && isLent && at > this.#start ? new LentBuffer(own) : null;
    this.#lent = lent;
    const left = this.#end - at;
    if (!this.#isReading) this.#start = at;
    else if (left === 0 && this.#end < SMALL_BYTES) this.release();
    else if (own === null) {
      this.#own = takeLarge();
      this.#bytes = this.#own;
      this.#end = bytes.copy(this.#own, 0, at, this.#end);
    } else if (at > 0) this.#moveToFront(own, at);
    return lent;
  }

  /** Holds no memory any more: little arrives, or the socket is gone. */
  release(): void {
    if (this.#lent !== null && !this.#lent.isOver) this.#lent.leave();
    else if (this.#own !== null) giveBack(this.#own);
    this.#lent = null;
    this.#own = null;
    this.#bytes = NOTHING;
    this.#start = 0;
    this.#end = 0;
  }

  #moveToFront(own: Buffer, from: number): void {
    if (this.#lent !== null && !this.#lent.isOver) {
      this.#lent.leave();
      this.#own = takeLarge();
      this.#bytes = this.#own;
      own.copy(this.#own, 0, from, this.#end);
    } else if (from < this.#end) own.copyWithin(0, from, this.#end);
    this.#lent = null;
    this.#start = 0;
    this.#end -= from;
  }
}
