// The simulated account's credits: what requests cost, and what is left.

/** Credits for one second of input, or one character of output. @see https://docs.cartesia.ai/pricing */
export const CREDIT_COST = {
  ttsPerCharacter: 1,
  sttBatchPerSecond: 0.5,
  sttWhisperPerSecond: 1,
  sttInkPerSecond: 3,
  voiceChangerPerSecond: 15,
} as const;

/** Spends from `settings.credits`, which may be set at any time; null = unlimited. */
export class Credits {
  readonly #settings: { credits: number | null };
  #spent = 0;

  constructor(settings: { credits: number | null }) {
    this.#settings = settings;
  }

  /** Takes the amount; if the balance does not cover it, takes nothing and returns false. */
  spend(amount: number): boolean {
    const { credits } = this.#settings;
    if (credits !== null) {
      // An empty account refuses even what costs nothing yet, such as the start of a socket or stream.
      if (credits <= 0 || credits < amount) return false;
      this.#settings.credits = credits - amount;
    }
    this.#spent += amount;
    return true;
  }

  /** Everything spent since the start or the last reset. */
  get spent(): number {
    return this.#spent;
  }

  reset(): void {
    this.#spent = 0;
  }
}

/** Characters of a transcript as they are billed: Unicode code points (the unit is undocumented). */
export function billedCharacters(transcript: string): number {
  return [...transcript].length;
}
