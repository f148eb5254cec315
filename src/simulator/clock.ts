// The simulator's own time: it can be moved forward, and timers follow.

/** Stops a timer; harmless when it has fired. */
export type Cancel = () => void;

/** A longer timer would fire at once. @see https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Timer {
  readonly run: () => void;
  due: number;
  handle: NodeJS.Timeout;
}

/** Wall clock plus an offset. The expiry of tokens and the closing of idle sockets follow it. */
export class Clock {
  readonly #source: () => number;
  readonly #timers = new Set<Timer>();
  #offsetMs = 0;

  /** @param source epoch milliseconds */
  constructor(source: () => number = Date.now) {
    this.#source = source;
  }

  /** Epoch milliseconds of the simulated time. */
  now(): number {
    return this.#source() + this.#offsetMs;
  }

  /** How far ahead of its source the clock is, in milliseconds. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Moves the time forward (or back) and fires, in order, every timer that became due. */
  advance(ms: number): void {
    this.#offsetMs += ms;
    for (const timer of this.#timers) timer.due -= ms;
    const due = [...this.#timers].filter((timer) => timer.due <= performance.now()).sort((a, b) => a.due - b.due);
    for (const timer of due) this.#fire(timer);
    for (const timer of this.#timers) this.#arm(timer);
  }

  /** Calls `run` after `ms` of simulated time. Does not keep the process alive. */
  after(ms: number, run: () => void): Cancel {
    const timer: Timer = { run, due: performance.now() + ms, handle: setTimeout(() => {}, 0) };
    this.#timers.add(timer);
    this.#arm(timer);
    return () => {
      clearTimeout(timer.handle);
      this.#timers.delete(timer);
    };
  }

  /** Drops all timers. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer.handle);
    this.#timers.clear();
  }

  #arm(timer: Timer): void {
    clearTimeout(timer.handle);
    const ms = Math.max(0, timer.due - performance.now());
    const isLast = ms <= LONGEST_TIMER_MS;
    timer.handle = setTimeout(() => (isLast ? this.#fire(timer) : this.#arm(timer)), isLast ? ms : LONGEST_TIMER_MS);
    timer.handle.unref();
  }

  #fire(timer: Timer): void {
    clearTimeout(timer.handle);
    if (this.#timers.delete(timer)) timer.run();
  }
}
