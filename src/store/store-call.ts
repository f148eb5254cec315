// One call to a remote store, for the metrics.

export interface StoreCall {
  /** What was asked, from a fixed list; never about whom. */
  readonly call: string;
  /** `left_alone`: not made, because the calls before it failed. */
  readonly outcome: 'ok' | 'timeout' | 'not_connected' | 'left_alone' | 'failed';
  readonly durationMs: number;
}

export type StoreObserver = (call: StoreCall) => void;
