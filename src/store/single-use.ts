// Names that are good once.

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
