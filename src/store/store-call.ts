// One call to a store that is elsewhere, for the metrics.

export interface StoreCall {
  /** From a fixed list: what was asked, never about whom. */
  readonly call: string;
  /** `left_alone`: not made, because the last ones failed. */
  readonly outcome: 'ok' | 'timeout' | 'not_connected' | 'left_alone' | 'failed';
  readonly durationMs: number;
}

export type StoreObserver = (call: StoreCall) => void;
