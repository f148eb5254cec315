// Whether a remote store is usable, for the log.

export interface StoreCondition {
  /** `starting`: it was never reached. */
  readonly state: 'starting' | 'up' | 'away';
  /** One word: why it is not `up`, or what is wrong although it is; never an address, a name or a password. */
  readonly reason: string | null;
}

/** Called once per change, not per attempt. */
export type StoreConditionObserver = (condition: StoreCondition) => void;
