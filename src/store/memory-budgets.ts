// Budgets of a single replica.
import { windowOf } from './budget-window.ts';
import type { BookingAnswer, BudgetLine, BudgetStore } from './budgets.ts';
import { storeKey } from './store-key.ts';

interface Counter {
  used: number;
  readonly endMs: number;
}

/** Swept when this many were added since the last time. */
const SWEEP_EVERY = 10_000;
/** Settling may be late. */
const KEPT_MS = 3_600_000;

/** @param now epoch milliseconds */
export function createMemoryBudgets(now: () => number): BudgetStore {
  const counters = new Map<string, Counter>();
  let added = 0;

  function counterOf(key: string, endMs: number): Counter {
    let counter = counters.get(key);
    if (counter === undefined) {
      counter = { used: 0, endMs };
      counters.set(key, counter);
      added += 1;
      if (added % SWEEP_EVERY === 0) sweep();
    }
    return counter;
  }
  function sweep(): void {
    const at = now() - KEPT_MS;
    for (const [key, { endMs }] of counters) if (endMs < at) counters.delete(key);
  }

  function put(shard: string, lines: readonly BudgetLine[], amount: number, isConsumed: boolean): BookingAnswer {
    let exceeded: BookingAnswer | null = null;
    const at = now();
    const keys: string[] = [];
    for (const [line, { name, window, limit }] of lines.entries()) {
      const { startMs, endMs } = windowOf(window, at);
      const key = storeKey(shard, name, window, String(startMs));
      const used = counters.get(key)?.used ?? 0;
      if (amount === 0 ? used >= limit : used + amount > limit) {
        exceeded ??= { outcome: 'exceeded', line, endsInMs: endMs - at };
        if (!isConsumed) return exceeded;
      }
      keys.push(key);
    }
    for (const [line, { window }] of lines.entries()) {
      const key = keys[line];
      if (key !== undefined) counterOf(key, windowOf(window, at).endMs).used += amount;
    }
    return exceeded ?? { outcome: 'booked', counters: keys };
  }

  return {
    book: async (shard, lines, amount) => put(shard, lines, amount, false),
    consume: async (shard, lines, amount) => put(shard, lines, amount, true),
    // Its answer cannot be lost, so nothing is ever settled twice.
    async settle(_shard, _id, keys, by) {
      for (const key of keys) {
        const counter = counters.get(key);
        if (counter !== undefined) counter.used = Math.max(0, counter.used + by);
      }
    },
  };
}
