// Where a connection reads into.
//
// All of them read into one common buffer, one after another, and what leaves it is a copy. While an answer that comes little by little is
// passed on as it stands, its connection has a small buffer for itself instead: what is read there is written to the client, and when that
// has all gone to the kernel, which is the rule, the next read may follow in the same place. Nothing is copied, and nothing is there to be
// collected. Who takes more slowly than it comes is left the buffer that a write still refers to, and gets copies for the rest of the answer.
// What comes in large pieces is better off in the common buffer, which is always in the processor's cache.

/** One read of a socket at most; Node's own size. */
const COMMON = Buffer.allocUnsafeSlow(65_536);
/** Speech that is being made comes in chunks of a few kilobytes. */
export const OWN_BYTES = 16_384;
/** Those that wait for the next answer. */
const SPARE_MAX = 64;

const spare: Buffer[] = [];

export class ReadPlace {
  #own: Buffer | null = null;
  #isLending = false;

  /** Where the next read goes, or the last one went. */
  get room(): Buffer {
    return this.#own ?? COMMON;
  }

  /** Nobody else reads into the room. */
  get isOwn(): boolean {
    return this.#own !== null;
  }

  /** What is read from the next time on may be passed on where it lies. */
  lend(): void {
    this.#isLending = true;
  }

  /** What was passed on is still needed. */
  leave(): void {
    this.#isLending = false;
    this.#own = null;
  }

  /** A read of so many bytes is over, and another one may follow. */
  prepare(count: number): void {
    if (!this.#isLending) return;
    if (count >= OWN_BYTES) this.#giveBack();
    else this.#own ??= spare.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
  }

  /** The answer is over; nobody needs any more of it. */
  release(): void {
    this.#giveBack();
    this.#isLending = false;
  }

  #giveBack(): void {
    if (this.#own !== null && spare.length < SPARE_MAX) spare.push(this.#own);
    this.#own = null;
  }
}
