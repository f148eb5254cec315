// The time as sockets see it: read once a second for all of them, so that moving bytes asks no clock.

export interface RelayClock {
  /** Monotonic milliseconds; never 0. */
  readonly nowMs: number;
}
