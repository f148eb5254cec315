// How many requests are begun in one turn of the event loop.
//
// With more than a thousand busy connections, Node's event loop goes on taking what arrives for as long as there is enough of it: begun as they
// come, thousands of requests would start before the first timer runs and the first answer goes on, and all of them would be too late. So a
// few are begun in a turn and the others wait in order of arrival, which costs next to nothing. Where the wait is long, more of it helps
// nobody: who comes then is refused at once.
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Arrival {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface IntakeOptions {
  readonly begin: (arrival: Arrival) => void;
  readonly refuse: (arrival: Arrival) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** Their beginnings take some 20 ms. */
export const BEGUN_MAX = 64;
/** A burst is worked off within this; when the first in line waits for longer, more comes than can be done. Milliseconds. */
export const WAIT_MAX_MS = 2_000;

interface Waiting extends Arrival {
  readonly sinceMs: number;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #now: () => number;
  /** In this turn. */
  #begun = 0;
  /** In order of arrival. */
  readonly #waiting: Waiting[] = [];
  #isTurnEndAwaited = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  take(arrival: Arrival): void {
    const [next] = this.#waiting;
    if (next === undefined && this.#begun < BEGUN_MAX) {
      this.#begin(arrival);
      return;
    }
    const nowMs = this.#now();
    if (next !== undefined && nowMs - next.sinceMs > WAIT_MAX_MS) this.#options.refuse(arrival);
    else this.#waiting.push({ ...arrival, sinceMs: nowMs });
  }

  /** It has been answered in the application's place and is not begun. @returns whether it was waiting */
  withdraw(request: IncomingMessage): boolean {
    const at = this.#waiting.findIndex((one) => one.request === request);
    if (at !== -1) this.#waiting.splice(at, 1);
    return at !== -1;
  }

  /** Those who wait are next. */
  turnIsOver(): void {
    this.#isTurnEndAwaited = false;
    this.#begun = 0;
    while (this.#begun < BEGUN_MAX) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (!next.response.destroyed) this.#begin(next); // else its client has left meanwhile
    }
  }

  #begin(arrival: Arrival): void {
    this.#begun += 1;
    if (!this.#isTurnEndAwaited) {
      this.#isTurnEndAwaited = true;
      setImmediate(turnIsOver, this);
    }
    this.#options.begin(arrival);
  }
}

function turnIsOver(intake: Intake): void {
  intake.turnIsOver();
}
