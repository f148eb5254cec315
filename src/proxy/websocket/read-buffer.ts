// Where bytes of upstream are read into: a buffer that is used over and over, instead of a new one for every read.
//
// A socket that is silent holds nothing: all of them read into one common place, out of which what comes is copied at once. As soon as
// more comes, the socket has a large buffer for itself, until little comes at a time again. There a frame that has not come whole
// stays where it is and the next read goes behind it, so frames lie in one piece and are never copied together. Bytes that the client's
// socket has not taken yet must stay as they are: then the buffer is left to that write, and the reads go on in another.

/** A read that fills the common place is followed by larger ones. */
const SMALL_BYTES = 2048;
/** The largest frame that is looked at in one piece, with its header. Chunks of speech are 22 kB. */
export const LARGE_BYTES = 65_536;
/** Large buffers that wait for the next socket that is busy. */
const SPARE_MAX = 64;

const spare: Buffer[] = [];
const COMMON = Buffer.allocUnsafeSlow(SMALL_BYTES);
const NOTHING = Buffer.alloc(0);

export class ReadBuffer {
  /** Its own large one; `null` = it reads into the common place. */
  #own: Buffer | null = null;
  #bytes: Buffer = NOTHING;
  #end = 0;

  /** What is there: from 0 to `end`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get end(): number {
    return this.#end;
  }

  /** The place for the next read; never empty after `consume`. To be asked for anew before each read. */
  get room(): Buffer {
    if (this.#own === null) return COMMON;
    return this.#end === 0 ? this.#own : this.#own.subarray(this.#end);
  }

  /** A read has put so many bytes into the room. */
  filled(length: number): void {
    if (this.#own === null) this.#bytes = Buffer.from(COMMON.subarray(0, length));
    this.#end += length;
  }

  /**
   * Bytes before `at` are done with; those behind move to the front.
   * @param isLent a write still refers to them: call `giveBack` with what is returned when it is over
   */
  consume(at: number, isLent: boolean): Buffer | null {
    const bytes = this.#bytes;
    const own = this.#own;
    const left = this.#end - at;
    const staysLarge = left > 0 || this.#end >= SMALL_BYTES;
    // What was read into the common place is a copy by now: a write may keep it.
    const isLeft = own !== null && isLent && at > 0;
    if (!staysLarge) {
      if (own !== null && !isLeft) giveBack(own);
      this.#own = null;
      this.#bytes = NOTHING;
    } else if (own === null || isLeft) {
      this.#own = takeLarge();
      this.#bytes = this.#own;
      bytes.copy(this.#own, 0, at, this.#end);
    } else if (left > 0 && at > 0) own.copyWithin(0, at, this.#end);
    this.#end = left;
    return isLeft ? own : null;
  }

  /** The socket is gone. */
  release(): void {
    if (this.#own !== null) giveBack(this.#own);
    this.#own = null;
    this.#bytes = NOTHING;
    this.#end = 0;
  }
}

function takeLarge(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
}

/** A large buffer that nobody refers to any more. */
export function giveBack(bytes: Buffer): void {
  if (spare.length < SPARE_MAX) spare.push(bytes);
}
