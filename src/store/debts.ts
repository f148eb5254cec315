// What the store has not heard: said again until it has.
import type { Soon } from './soon.ts';

export interface Debts {
  /** @param pay may be called again when it has failed, and changes nothing the second time */
  add(pay: () => Soon<unknown>): void;
  /** The store is back: everything is said now. */
  pay(): void;
  readonly open: number;
}

export interface DebtsOptions {
  /** Beyond it the oldest give way. */
  readonly max?: number;
  /** How often they are said again by themselves, milliseconds; `null` = only when `pay` is called. */
  readonly againMs?: number | null;
}

const AGAIN_MS = 1_000;
/** At a time: whoever is back has others to serve. */
const AT_ONCE = 100;

export function createDebts({ max = Number.POSITIVE_INFINITY, againMs = AGAIN_MS }: DebtsOptions = {}): Debts {
  let owed: (() => Soon<unknown>)[] = [];
  let isPaying = false;
  let clock: NodeJS.Timeout | null = null;

  /** Ends with the first that fails: what comes behind it would fail too. */
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
