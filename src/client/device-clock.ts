// How much time has passed on a device whose clock may be wrong.

/** One moment by two clocks, in milliseconds. */
export interface Moment {
  readonly wall: number;
  readonly steady: number;
}

export function now(): Moment {
  return { wall: Date.now(), steady: performance.now() };
}

/**
 * Milliseconds between two moments, by the clock that has moved further: the steady one may stand still while a phone sleeps, the other
 * one jumps when it is set. Too much means that a token is renewed early; too little, that a dead one is used.
 */
export function elapsed(from: Moment, to: Moment): number {
  return Math.max(to.wall - from.wall, to.steady - from.steady);
}
