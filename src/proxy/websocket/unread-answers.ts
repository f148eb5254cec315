// Limits the frames that one side makes us send, by pings or refused messages, without taking them: a side that goes on is cut.

/** Limit on what waits for one side. */
const MAX_BYTES = 512 * 1024;
/** The least that a waiting frame takes besides its bytes: a pong may have two, and 512 KiB would hold a quarter of a million of those. */
const FRAME_BYTES = 40;

export class UnreadAnswers {
  #bytes = 0;

  /**
   * Counts one more frame.
   * @param isNothingWaiting everything before it was sent
   * @returns whether it is one too many
   */
  add(frame: Buffer, isNothingWaiting: boolean): boolean {
    this.#bytes = (isNothingWaiting ? 0 : this.#bytes) + frame.length + FRAME_BYTES;
    return this.#bytes > MAX_BYTES;
  }
}
