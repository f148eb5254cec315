// Limits how many requests are begun in one turn of the event loop.
//
// With more than a thousand busy connections, one turn of Node's event loop keeps accepting work for as long as more arrives. Started on
// arrival, thousands of requests would begin before the first timer fires or the first response is sent, and all would be late. So only a
// few start per turn; the rest wait in order of arrival, at almost no cost. Once the wait is long, new requests are refused at once, since
// a longer wait helps nobody.
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

/** Beginning this many takes about 20 ms. */
export const BEGUN_MAX = 64;
/** A burst is worked off within this; if the first in line has waited longer, more arrives than can be handled. Milliseconds. */
export const WAIT_MAX_MS = 2_000;

interface Waiting extends Arrival {
  readonly sinceMs: number;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #now: () => number;
  /** Requests begun in this turn. */
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

  /** Removes a request that was answered in place of the application. @returns whether it was waiting */
  withdraw(request: IncomingMessage): boolean {
    const at = this.#waiting.findIndex((one) => one.request === request);
    if (at !== -1) this.#waiting.splice(at, 1);
    return at !== -1;
  }

  /** Begins waiting requests. */
  turnIsOver(): void {
    this.#isTurnEndAwaited = false;
    this.#begun = 0;
    while (this.#begun < BEGUN_MAX) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      // Otherwise its client has left. The response to an upgrade cannot tell: it has no connection before it begins.
      if (!next.request.socket.destroyed) this.#begin(next);
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
