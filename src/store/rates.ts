// Requests counted by window, for all replicas together.

export interface RateCount {
  /** This one included. */
  readonly count: number;
  /** Until the window starts anew. */
  readonly resetMs: number;
}

export interface RateStore {
  /** Counts one. @param name unambiguous, of the limiter and of whom it counts */
  hit(name: string, windowMs: number): Promise<RateCount>;
  /** Replicas that were heard of lately, at least 1: what each may allow while it is alone. */
  readonly replicas: number;
}
