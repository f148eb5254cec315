// Names that can be used once.

/** Names are remembered for this much longer than they are valid: clocks get adjusted, and those of replicas differ. */
export const RESERVE_MS = 600_000;

export interface SingleUseStore {
  /**
   * @param by identifies this use, unique
   * @param untilMs after which the name is refused anyway; epoch milliseconds
   * @returns whether this was the first time
   */
  use(name: string, by: string, untilMs: number): Promise<boolean>;
  /** Makes a name usable again that was not needed after all. Does nothing unless `by` was the one who used it. */
  giveBack(name: string, by: string): Promise<void>;
}
