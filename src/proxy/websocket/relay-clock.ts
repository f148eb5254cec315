// The clock that all sockets share, and their timeouts.

/** Read about once a second for all sockets, so that moving bytes reads no clock. */
export interface RelayClock {
  /** Monotonic milliseconds; never 0. */
  readonly nowMs: number;
  /** Reads the clock now, for what is counted by time. @returns `nowMs` */
  touch(): number;
}

/** All in milliseconds. */
export interface RelayTimes {
  /** Between two pings; a peer that says nothing from one to the next is dead. */
  readonly pingMs: number;
  /** How long upstream may take none of what waits for it. */
  readonly stallMs: number;
  /**
   * The same for the client. Longer, because progress comes in steps: Linux lets us write again when a third of its buffer is free, and a
   * player that reads speech as it plays it takes 30 to 90 seconds for that.
   */
  readonly clientStallMs: number;
  /** How long a side has to answer a close frame. */
  readonly closeMs: number;
}

export const RELAY_TIMES: RelayTimes = { pingMs: 30_000, stallMs: 30_000, clientStallMs: 120_000, closeMs: 2000 };
