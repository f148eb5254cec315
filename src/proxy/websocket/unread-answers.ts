// What a side makes us answer, by pings or by messages that are refused: who goes on without taking the answers is cut, wherever they wait.

/** Of answers that wait for one side. */
const MAX_BYTES = 512 * 1024;
/** What a frame that waits takes beside its bytes, at the least: a pong may have two, and there are a quarter of a million of those in that. */
const FRAME_BYTES = 40;

export class UnreadAnswers {
  #bytes = 0;

  /**
   * One more.
   * @param isNothingWaiting all that was said before has left
   * @returns whether it is one too many
   */
  add(frame: Buffer, isNothingWaiting: boolean): boolean {
    this.#bytes = (isNothingWaiting ? 0 : this.#bytes) + frame.length + FRAME_BYTES;
    return this.#bytes > MAX_BYTES;
  }
}
