// Counts the speech that upstream sends on a socket: bytes, and seconds where the formats determine them.
import type { SocketUsage } from './protocol.ts';

export class TtsAudio {
  readonly #usage: SocketUsage;
  /** Bytes per second of every context's format so far; 0 = none known, -1 = they differ, so each chunk is parsed for its context. */
  #bytesPerSecond = 0;
  #rates: Map<string, number> | null = null;

  constructor(usage: SocketUsage) {
    this.#usage = usage;
  }

  /** All contexts have the same rate, so a chunk's context does not matter for its seconds. */
  get isUniform(): boolean {
    return this.#bytesPerSecond >= 0;
  }

  /**
   * A message of a context names its format.
   * @param rate bytes per second; 0 = not known
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

  /** @param id of the context; matters only if the rates differ */
  count(bytes: number, id: string): void {
    const rate = this.isUniform ? this.#bytesPerSecond : (this.#rates?.get(id) ?? 0);
    this.#usage.audioBytes += bytes;
    if (rate > 0) this.#usage.audioSeconds += bytes / rate;
  }

  ended(id: string): void {
    this.#rates?.delete(id);
  }
}
