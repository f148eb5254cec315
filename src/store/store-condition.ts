// Whether a store that is elsewhere can be asked, for the log.

export interface StoreCondition {
  /** `starting`: it was never reached. */
  readonly state: 'starting' | 'up' | 'away';
  /** A word that says why it is not `up`, or what is wrong all the same; never an address, a name or a password. */
  readonly reason: string | null;
}

/** Told once for each change: not for each attempt. */
export type StoreConditionObserver = (condition: StoreCondition) => void;
