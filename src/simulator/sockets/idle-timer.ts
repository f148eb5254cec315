// Detects that a socket has been idle for too long.

import type { Cancel, Clock } from '../clock.ts';

/** Calls `expired` once, when `touch` was not called for the idle time. Touching is cheap: it hardly ever moves a timer. */
export class IdleTimer {
  readonly #clock: Clock;
  readonly #idleMs: () => number;
  readonly #expired: () => void;
  #last: number;
  #armedMs = 0;
  #cancel: Cancel = () => {};

  /** @param idleMs read whenever the timer fires or is touched, so that a changed setting counts */
  constructor(clock: Clock, idleMs: () => number, expired: () => void) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#expired = expired;
    this.#last = clock.now();
    this.#arm(idleMs());
  }

  touch(): void {
    this.#last = this.#clock.now();
    const ms = this.#idleMs();
    if (ms >= this.#armedMs) return;
    this.#cancel();
    this.#arm(ms);
  }

  stop(): void {
    this.#cancel();
  }

  #arm(ms: number): void {
    this.#armedMs = ms;
    this.#cancel = this.#clock.after(ms, () => {
      const left = this.#last + this.#idleMs() - this.#clock.now();
      if (left <= 0) this.#expired();
      else this.#arm(left);
    });
  }
}
