// Treats upstream connections as slots: bounds the number of calls that run at once and the line of those that wait.

export type SlotAnswer = 'run' | 'wait' | 'full';

/** Jobs wait in order of arrival. The caller measures time; this class has no timer. */
export class SlotQueue<Job> {
  readonly #slots: number;
  readonly #maxWaiting: number;
  /** In order of arrival, from `#first` on. Not a set: see collections/live-list.ts. */
  readonly #line: (Job | undefined)[] = [];
  #first = 0;
  #running = 0;
  /** Moving average of the time that a job holds its slot; 0 = not known yet. */
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

  /** How long a job holds its slot, on average; 0 = not known yet. */
  get meanHeldMs(): number {
    return this.#meanHeldMs;
  }

  /**
   * `run`: the job has a slot; `release` it afterwards. `wait`: a later `release` returns the job. `full`: the line is at its maximum, or
   * the job would not have its turn and be done within `patienceMs`: work that ends after its caller's deadline turns overload into
   * collapse.
   */
  enter(job: Job, patienceMs: number): SlotAnswer {
    if (this.#running < this.#slots) {
      this.#running += 1;
      return 'run';
    }
    const roundsAhead = Math.ceil((this.waiting + 1) / this.#slots);
    if (this.waiting >= this.#maxWaiting || (roundsAhead + 1) * this.#meanHeldMs > patienceMs) return 'full';
    this.#line.push(job);
    return 'wait';
  }

  /**
   * Gives a slot back. Returns the waiting job that now has it, or `undefined` if none waits.
   * @param heldMs `null`: it was not used, which says nothing about how long jobs take
   */
  release(heldMs: number | null): Job | undefined {
    if (heldMs !== null) this.#meanHeldMs = this.#meanHeldMs === 0 ? heldMs : this.#meanHeldMs * 0.8 + heldMs * 0.2;
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

  /** Removes a job from the line; `false` = it was not in it. */
  forget(job: Job): boolean {
    const at = this.#line.indexOf(job, this.#first);
    if (at === -1) return false;
    this.#line.splice(at, 1);
    return true;
  }

  /** Removes and returns all waiting jobs, in order. */
  clear(): Job[] {
    const jobs = this.#line.slice(this.#first) as Job[]; // only entries before `#first` are empty
    this.#line.length = 0;
    this.#first = 0;
    return jobs;
  }
}

/** Number of vacated entries at the front after which the array is compacted. */
const GAP_MAX = 1024;
