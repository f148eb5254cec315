// Counts requests per window, for all replicas together.

export interface RateCount {
  /** This request included. */
  readonly count: number;
  /** Until the next window starts. */
  readonly resetMs: number;
}

export interface RateStore {
  /** Counts one request. @param name identifies the limiter and who is counted, unambiguously */
  hit(name: string, windowMs: number): Promise<RateCount>;
  /** Replicas seen recently, at least 1: while the store is away, each allows its share of the limit. */
  readonly replicas: number;
}
