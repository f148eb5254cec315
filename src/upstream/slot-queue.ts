// The upstream connections as slots, and who waits for one. Bounds the calls that run at once and the line behind them.

export type Admission = 'run' | 'wait' | 'full';

/** Jobs wait in order of arrival. Time is measured by the caller; this holds no timer. */
export class SlotQueue<Job> {
  readonly #slots: number;
  readonly #maxWaiting: number;
  /** A set keeps the order of arrival and forgets a job from the middle in constant time. */
  readonly #waiting = new Set<Job>();
  #running = 0;
  /** Recent time that a job held its slot; 0 = nothing known yet. */
  #meanHeldMs = 0;

  constructor(slots: number, maxWaiting: number) {
    this.#slots = slots;
    this.#maxWaiting = maxWaiting;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * `run`: a slot is taken, `release` it. `wait`: `release` will hand the job out. `full`: it would not have its turn within
   * `patienceMs`, so it is refused now: work that ends after its caller's deadline is what turns overload into collapse.
   */
  enter(job: Job, patienceMs: number): Admission {
    if (this.#running < this.#slots) {
      this.#running += 1;
      return 'run';
    }
    const roundsAhead = Math.ceil((this.#waiting.size + 1) / this.#slots);
    if (this.#waiting.size >= this.#maxWaiting || roundsAhead * this.#meanHeldMs > patienceMs) return 'full';
    this.#waiting.add(job);
    return 'wait';
  }

  /** Gives a slot back. Answers the job that has it now, or `undefined` where nobody waits. */
  release(heldMs: number): Job | undefined {
    this.#meanHeldMs = this.#meanHeldMs === 0 ? heldMs : this.#meanHeldMs * 0.8 + heldMs * 0.2;
    const next = this.#waiting.values().next();
    if (next.done) {
      this.#running -= 1;
      return undefined;
    }
    this.#waiting.delete(next.value);
    return next.value;
  }

  /** Takes a job out of the line; `false` = it was not in it. */
  forget(job: Job): boolean {
    return this.#waiting.delete(job);
  }

  /** Takes everybody out of the line, in order. */
  clear(): Job[] {
    const jobs = [...this.#waiting];
    this.#waiting.clear();
    return jobs;
  }
}
