// Where bytes of upstream are read into: one buffer for each socket, used over and over, instead of a new one for every read.
//
// A frame that has not come whole stays where it is and the next read goes behind it, so frames lie in one piece and are never copied
// together. Bytes that the client's socket has not taken yet must stay as they are: then the buffer is left to that write, and the
// reads go on in another.

/** As much as a socket that is silent costs. A read that fills it is followed by larger ones. */
const SMALL_BYTES = 1024;
/** The largest frame that is looked at in one piece, with its header. Chunks of speech are 22 kB. */
export const LARGE_BYTES = 65_536;
/** Large buffers that wait for the next socket that is busy. */
const SPARE_MAX = 64;

const spare: Buffer[] = [];

export class ReadBuffer {
  #bytes: Buffer = Buffer.allocUnsafeSlow(SMALL_BYTES);
  #end = 0;

  /** What is there: from 0 to `end`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get end(): number {
    return this.#end;
  }

  /** The place for the next read; never empty. */
  get room(): Buffer {
    return this.#end === 0 ? this.#bytes : this.#bytes.subarray(this.#end);
  }

  /** A read has put so many bytes into the room. */
  filled(length: number): void {
    this.#end += length;
  }

  /**
   * Bytes before `at` are done with; those behind move to the front.
   * @param isLent a write still refers to them: call `giveBack` with what is returned when it is over
   */
  consume(at: number, isLent: boolean): Buffer | null {
    const bytes = this.#bytes;
    const left = this.#end - at;
    const isFull = this.#end === bytes.length;
    if (isLent) {
      this.#bytes = takeLarge();
      bytes.copy(this.#bytes, 0, at, this.#end);
      this.#end = left;
      return bytes;
    }
    if (isFull && bytes.length < LARGE_BYTES) {
      this.#bytes = takeLarge();
      bytes.copy(this.#bytes, 0, at, this.#end);
    } else if (left > 0 && at > 0) bytes.copyWithin(0, at, this.#end);
    this.#end = left;
    return null;
  }

  /** The socket is gone. */
  release(): void {
    giveBack(this.#bytes);
    this.#bytes = NONE;
    this.#end = 0;
  }
}

const NONE = Buffer.alloc(0);

function takeLarge(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
}

/** A large buffer that nobody refers to any more. */
export function giveBack(bytes: Buffer): void {
  if (bytes.length === LARGE_BYTES && spare.length < SPARE_MAX) spare.push(bytes);
}
