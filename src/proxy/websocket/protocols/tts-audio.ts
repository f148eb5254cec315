// How much speech came down a socket: bytes, and seconds where the formats tell.
import type { SocketUsage } from './protocol.ts';

export class TtsAudio {
  readonly #usage: SocketUsage;
  /** Of every context's format so far, bytes; 0 = none yet, -1 = they differ, and then each chunk is read to find whose it is. */
  #bytesPerSecond = 0;
  #rates: Map<string, number> | null = null;

  constructor(usage: SocketUsage) {
    this.#usage = usage;
  }

  /** All contexts have one format: whose a chunk is does not matter for its seconds. */
  get isUniform(): boolean {
    return this.#bytesPerSecond >= 0;
  }

  /**
   * A message names its format.
   * @param rate bytes a second; 0 = not known
   * @param ids of the contexts that are open
   */
  learn(id: string, rate: number, ids: () => Iterable<string>): void {
    if (this.#bytesPerSecond === 0) this.#bytesPerSecond = rate;
    else if (rate > 0 && this.#bytesPerSecond > 0 && rate !== this.#bytesPerSecond) {
      this.#rates = new Map([...ids()].map((one) => [one, this.#bytesPerSecond]));
      this.#bytesPerSecond = -1;
    }
    if (rate > 0) this.#rates?.set(id, rate);
  }

  /** @param id of the context, where it matters */
  count(bytes: number, id: string): void {
    const rate = this.isUniform ? this.#bytesPerSecond : (this.#rates?.get(id) ?? 0);
    this.#usage.audioBytes += bytes;
    if (rate > 0) this.#usage.audioSeconds += bytes / rate;
  }

  ended(id: string): void {
    this.#rates?.delete(id);
  }
}
