// Large buffers, which go from one busy socket to the next: made anew, each would have to be filled with memory and collected.

/** The largest frame that is looked at in one piece, with its header. Chunks of speech are 22 kB; some of them go on in one write. */
export const LARGE_BYTES = 131_072;
/** Those that wait for the next socket that is busy. */
const SPARE_MAX = 64;

const spare: Buffer[] = [];

export function takeLarge(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
}

/** One that nobody refers to any more. */
export function giveBack(bytes: Buffer): void {
  if (spare.length < SPARE_MAX) spare.push(bytes);
}

/** One that a write refers to. It is given back when the write is over and no socket reads into it any more, whichever comes last. */
export class Loan {
  readonly #bytes: Buffer;
  #isOver = false;
  #isLeft = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The write is over. */
  over(): void {
    this.#isOver = true;
    if (this.#isLeft) giveBack(this.#bytes);
  }

  /** No socket reads into it any more. */
  leave(): void {
    this.#isLeft = true;
    if (this.#isOver) giveBack(this.#bytes);
  }
}
