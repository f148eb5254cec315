// Measures elapsed time on a device whose clock may be wrong.

/** One moment on two clocks, in milliseconds. */
export interface Moment {
  readonly wall: number;
  readonly steady: number;
}

export function now(): Moment {
  return { wall: Date.now(), steady: performance.now() };
}

/**
 * Milliseconds between two moments, by the clock that has moved further: the steady clock may stop while a phone sleeps, and the wall
 * clock jumps when it is set. Too large a value renews a token early; too small a one uses an expired token.
 */
export function elapsed(from: Moment, to: Moment): number {
  return Math.max(to.wall - from.wall, to.steady - from.steady);
}
