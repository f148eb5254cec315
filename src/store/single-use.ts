// Names that are good once.

/** Names are remembered for so much longer than they are good: clocks are set, and those of replicas differ. */
export const RESERVE_MS = 600_000;

export interface SingleUseStore {
  /**
   * @param by unique: who uses it
   * @param untilMs after which the name is refused anyhow; epoch milliseconds
   * @returns whether this was the first time
   */
  use(name: string, by: string, untilMs: number): Promise<boolean>;
  /** It was not made use of after all, and is good once more. Changes nothing where somebody else has used it meanwhile. */
  giveBack(name: string, by: string): Promise<void>;
}
