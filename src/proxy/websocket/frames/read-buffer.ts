// Where bytes of upstream are read into: a buffer that is used over and over, instead of a new one for every read.
//
// A socket that is silent holds nothing: all of them read into one common place, out of which what comes is copied at once. As soon as
// more comes, the socket has a large buffer for itself, until little comes at a time again. There a frame that has not come whole
// stays where it is and the next read goes behind it, so frames lie in one piece and are never copied together. Bytes that the client's
// socket has not taken yet must stay as they are: then the buffer is left to that write, and the reads go on in another.
//
// The place for the next read is asked for at the end of a read. From then on it is taken, and nothing is moved before that read has come.
import { giveBack, Loan, takeLarge } from './large-buffers.ts';

/** A read that fills the common place is followed by larger ones. */
export const SMALL_BYTES = 2048;
const COMMON = Buffer.allocUnsafeSlow(SMALL_BYTES);
const NOTHING = Buffer.alloc(0);

export class ReadBuffer {
  /** Its own large one; `null` = it reads into the common place. */
  #own: Buffer | null = null;
  #bytes: Buffer = NOTHING;
  #start = 0;
  #end = 0;
  /** A read has come, and the place for the next one has not been given yet. */
  #isReading = false;
  /** Of what lies before `#start`. */
  #loan: Loan | null = null;

  /** What is there: from `start` to `end`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** The place for the next read; never empty after `consume`. To be asked for anew after each read. */
  get room(): Buffer {
    this.#isReading = false;
    if (this.#own === null) return COMMON;
    return this.#end === 0 ? this.#own : this.#own.subarray(this.#end);
  }

  /** Whether the next read goes behind what is there, and so much of it still fits. */
  hasRoomFor(length: number): boolean {
    return this.#own !== null && this.#end + length <= this.#own.length;
  }

  /** A read has put so many bytes into the room. */
  filled(length: number): void {
    this.#isReading = true;
    this.#end += length;
    if (this.#own === null) this.#bytes = Buffer.from(COMMON.subarray(0, length));
    else if (this.#start > 0) this.#moveToFront(this.#own, this.#start);
  }

  /**
   * Bytes before `at` are done with.
   * @param isLent a write still refers to them: what is returned has to be told when it is over
   */
  consume(at: number, isLent: boolean): Loan | null {
    const bytes = this.#bytes;
    const own = this.#own;
    // What was read into the common place is a copy by now: a write may keep it.
    const loan = own !== null && isLent && at > this.#start ? new Loan(own) : null;
    this.#loan = loan;
    const left = this.#end - at;
    if (!this.#isReading) this.#start = at;
    else if (left === 0 && this.#end < SMALL_BYTES) this.release();
    else if (own === null) {
      this.#own = takeLarge();
      this.#bytes = this.#own;
      this.#end = bytes.copy(this.#own, 0, at, this.#end);
    } else if (at > 0) this.#moveToFront(own, at);
    return loan;
  }

  /** Holds nothing any more: little comes, or the socket is gone. */
  release(): void {
    if (this.#loan !== null && !this.#loan.isOver) this.#loan.leave();
    else if (this.#own !== null) giveBack(this.#own);
    this.#loan = null;
    this.#own = null;
    this.#bytes = NOTHING;
    this.#start = 0;
    this.#end = 0;
  }

  #moveToFront(own: Buffer, from: number): void {
    if (this.#loan !== null && !this.#loan.isOver) {
      this.#loan.leave();
      this.#own = takeLarge();
      this.#bytes = this.#own;
      own.copy(this.#own, 0, from, this.#end);
    } else if (from < this.#end) own.copyWithin(0, from, this.#end);
    this.#loan = null;
    this.#start = 0;
    this.#end -= from;
  }
}
