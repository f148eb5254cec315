// Names that are good once.

export interface SingleUseStore {
  /**
   * @param untilMs after which the name is refused anyhow; epoch milliseconds
   * @returns whether this was the first time
   */
  use(name: string, untilMs: number): Promise<boolean>;
}
