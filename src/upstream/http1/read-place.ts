// Chooses the buffer that a connection reads into.
//
// All connections read into one common buffer in turn, and what leaves it is a copy. While a response that arrives in small pieces is passed
// on unchanged, its connection has a small buffer of its own instead: what is read there is written to the client, and once the kernel has
// taken all of it, as it usually does at once, the next read reuses the buffer. Nothing is copied, and nothing is left to collect as garbage.
// For a slow client, the buffer is left to the write that still refers to it, and the rest of the response is copied. Large pieces are
// better off in the common buffer, which is always in the processor's cache.

/** The most that one read of a socket returns; Node's own size. */
const COMMON = Buffer.allocUnsafeSlow(65_536);
/** Speech arrives in chunks of a few kilobytes while it is generated. */
export const OWN_BYTES = 16_384;
/** Limit on unused buffers kept for later responses. */
const SPARE_MAX = 64;

const spare: Buffer[] = [];

export class ReadPlace {
  #own: Buffer | null = null;
  #isLending = false;

  /** The buffer of the next read, or of the last one. */
  get room(): Buffer {
    return this.#own ?? COMMON;
  }

  /** No other connection reads into `room`. */
  get isOwn(): boolean {
    return this.#own !== null;
  }

  /** From the next read on, what is read may be passed on without a copy. */
  lend(): void {
    this.#isLending = true;
  }

  /** What was passed on is still needed: do not read into its buffer again. */
  leave(): void {
    this.#isLending = false;
    this.#own = null;
  }

  /** Chooses the buffer for the next read, after one of `count` bytes. */
  prepare(count: number): void {
    if (!this.#isLending) return;
    if (count >= OWN_BYTES) this.#giveBack();
    else this.#own ??= spare.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
  }

  /** The response is complete, and nothing in the buffer is needed any more. */
  release(): void {
    this.#giveBack();
    this.#isLending = false;
  }

  #giveBack(): void {
    if (this.#own !== null && spare.length < SPARE_MAX) spare.push(this.#own);
    this.#own = null;
  }
}
