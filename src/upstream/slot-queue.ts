// The upstream connections as slots, and who waits for one. Bounds the calls that run at once and the line behind them.

export type Admission = 'run' | 'wait' | 'full';

/** Jobs wait in order of arrival. Time is measured by the caller; this holds no timer. */
export class SlotQueue<Job> {
  readonly #slots: number;
  readonly #maxWaiting: number;
  /** In order of arrival, from `#first` on. Not a set: see collections/live-list.ts. */
  readonly #line: (Job | undefined)[] = [];
  #first = 0;
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
    return this.#line.length - this.#first;
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
    const roundsAhead = Math.ceil((this.waiting + 1) / this.#slots);
    if (this.waiting >= this.#maxWaiting || roundsAhead * this.#meanHeldMs > patienceMs) return 'full';
    this.#line.push(job);
    return 'wait';
  }

  /** Gives a slot back. Answers the job that has it now, or `undefined` where nobody waits. */
  release(heldMs: number): Job | undefined {
    this.#meanHeldMs = this.#meanHeldMs === 0 ? heldMs : this.#meanHeldMs * 0.8 + heldMs * 0.2;
    if (this.waiting === 0) {
      this.#running -= 1;
      return undefined;
    }
    const job = this.#line[this.#first];
    this.#line[this.#first] = undefined;
    this.#first += 1;
    if (this.#first === this.#line.length || this.#first >= GAP_MAX) {
      this.#line.splice(0, this.#first);
      this.#first = 0;
    }
    return job;
  }

  /** Takes a job out of the line; `false` = it was not in it. */
  forget(job: Job): boolean {
    const at = this.#line.indexOf(job, this.#first);
    if (at === -1) return false;
    this.#line.splice(at, 1);
    return true;
  }

  /** Takes everybody out of the line, in order. */
  clear(): Job[] {
    const jobs = this.#line.slice(this.#first) as Job[]; // only what stands before it is empty
    this.#line.length = 0;
    this.#first = 0;
    return jobs;
  }
}

/** Places in front that nobody stands in any more, before the line moves up. */
const GAP_MAX = 1024;
