// Calls that the store has not confirmed, repeated until it has.
import type { MaybePromise } from './maybe-promise.ts';

export interface Debts {
  /** @param pay called again after a failure; must not take effect twice */
  add(pay: () => MaybePromise<unknown>): void;
  /** The store is back: repeats everything that is open. */
  pay(): void;
  readonly open: number;
}

export interface DebtsOptions {
  /** Most that are kept; beyond it the oldest are dropped. */
  readonly max?: number;
  /** Interval of automatic repetition, milliseconds; `null` = only when `pay` is called. */
  readonly againMs?: number | null;
}

const AGAIN_MS = 1_000;
/** Most repeated at a time: a store that has just come back has others to serve. */
const AT_ONCE = 100;

export function createDebts({ max = Number.POSITIVE_INFINITY, againMs = AGAIN_MS }: DebtsOptions = {}): Debts {
  let owed: (() => MaybePromise<unknown>)[] = [];
  let isPaying = false;
  let clock: NodeJS.Timeout | null = null;

  /** Stops after the first batch with a failure: the rest would fail too. */
  async function payAll(): Promise<void> {
    if (isPaying) return;
    isPaying = true;
    while (owed.length > 0) {
      const some = owed.slice(0, AT_ONCE);
      const results = await Promise.allSettled(some.map((pay) => pay()));
      const heard = new Set(some.filter((_, i) => results[i]?.status === 'fulfilled'));
      owed = owed.filter((pay) => !heard.has(pay));
      if (heard.size < some.length) break;
    }
    isPaying = false;
    if (owed.length > 0 || clock === null) return;
    clearInterval(clock);
    clock = null;
  }

  return {
    add(pay) {
      owed.push(pay);
      if (owed.length > max) owed = owed.slice(-max);
      if (againMs !== null) clock ??= setInterval(() => void payAll(), againMs).unref();
    },
    pay: () => void payAll(),
    get open() {
      return owed.length;
    },
  };
}
