// One replica's waits for leases of one kind.
import { type Listed, LiveList } from '../collections/live-list.ts';
import { Problem } from '../errors/problems.ts';
import type { LeaseAsk } from '../store/lease-rules.ts';
import type { Lease } from './lease.ts';

export interface Waiting extends Listed {
  readonly ask: LeaseAsk;
  /** Monotonic milliseconds. */
  readonly untilMs: number;
  /** Ends the wait. */
  readonly settle: (result: Lease | null | Problem) => void;
}

export interface LeaseWaitsOptions {
  /** Called regularly to check on all waits, since a message from the store may have been lost. */
  readonly onLook: () => void;
  /** The wait has lasted its full time. */
  readonly onLate: (waiting: Waiting) => void;
}

const LOOK_MS = 250;

export class LeaseWaits {
  readonly #options: LeaseWaitsOptions;
  readonly #all = new LiveList<Waiting>();
  #clock: NodeJS.Timeout | null = null;

  constructor(options: LeaseWaitsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Resolves or rejects with what the wait, found with `find`, is settled with. */
  wait(ask: LeaseAsk, untilMs: number): Promise<Lease | null> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#options.onLate(waiting), Math.max(0, untilMs - performance.now()));
      const waiting: Waiting = {
        ask,
        untilMs,
        settle: (result) => {
          clearTimeout(late);
          this.#all.delete(waiting);
          if (result instanceof Problem) reject(result);
          else resolve(result);
        },
        place: -1,
      };
      this.#all.add(waiting);
      this.#clock ??= setInterval(() => this.#look(), LOOK_MS);
    });
  }

  /** Few wait, and their number is bounded: walking the list is cheaper than a table that is constantly filled and emptied. */
  find(id: string): Waiting | undefined {
    return this.#all.find(({ ask }) => ask.id === id);
  }

  /** From now on `find` does not find it, although it is not settled yet. */
  leave(waiting: Waiting): void {
    this.#all.delete(waiting);
  }

  asks(): readonly LeaseAsk[] {
    return this.#all.all().map(({ ask }) => ask);
  }

  ids(): readonly string[] {
    return this.asks().map(({ id }) => id);
  }

  #look(): void {
    if (this.size > 0) this.#options.onLook();
    else if (this.#clock !== null) {
      clearInterval(this.#clock);
      this.#clock = null;
    }
  }
}
