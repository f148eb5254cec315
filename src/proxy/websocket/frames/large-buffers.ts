// Large buffers that busy sockets reuse one after another: a new one each time would need fresh memory and garbage collection.

/** The largest frame, with its header, that is inspected in one piece. Chunks of speech are 22 kB, so several are passed on in one write. */
export const LARGE_BYTES = 131_072;
/** Limit on buffers kept for the next busy socket. */
const SPARE_MAX = 64;

const spare: Buffer[] = [];

export function takeLarge(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
}

/** Takes a buffer back to which nothing refers any more. */
export function giveBack(bytes: Buffer): void {
  if (spare.length < SPARE_MAX) spare.push(bytes);
}

/** A buffer to which a write refers. It is given back when the write is over and no socket reads into it any more, whichever is last. */
export class LentBuffer {
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
