// What the store has not heard: said again until it has.
import type { Soon } from '../store/soon.ts';

export interface Debts {
  /** @param pay may be called again when it has failed, and changes nothing the second time */
  add(pay: () => Soon<unknown>): void;
  /** The store is back: everything is said now. */
  pay(): void;
  readonly open: number;
}

const AGAIN_MS = 1_000;
/** At a time: whoever is back has others to serve. */
const AT_ONCE = 100;

export function createDebts(): Debts {
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
      const failed = some.filter((_, i) => results[i]?.status === 'rejected');
      owed = [...failed, ...owed.slice(some.length)];
      if (failed.length > 0) break;
    }
    isPaying = false;
    if (owed.length > 0 || clock === null) return;
    clearInterval(clock);
    clock = null;
  }

  return {
    add(pay) {
      owed.push(pay);
      clock ??= setInterval(() => void payAll(), AGAIN_MS).unref();
    },
    pay: () => void payAll(),
    get open() {
      return owed.length;
    },
  };
}
