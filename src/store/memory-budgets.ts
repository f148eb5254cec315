// Budgets of a single replica.
import type { BudgetWindow } from '../config/budget.ts';
import { windowOf } from './budget-window.ts';
import type { BookingAnswer, BudgetAsk, BudgetStore } from './budgets.ts';

type Window = ReturnType<typeof windowOf>;

/** Of one window. What was booked on it is settled on it, also when the next one has begun. */
interface Counter {
  used: number;
  readonly endMs: number;
}

/** By the name of the line, for each window of each shard: names are looked up as they come, and no key is made. */
type Shard = Readonly<Record<BudgetWindow, Map<string, Counter>>>;

/** Swept when this many were added since the last time. */
const SWEEP_EVERY = 10_000;
const NEVER: Window = { startMs: 0, endMs: 0 };

/** @param now epoch milliseconds */
export function createMemoryBudgets(now: () => number): BudgetStore {
  const shards = new Map<string, Shard>();
  const windows: Record<BudgetWindow, Window> = { hour: NEVER, day: NEVER, month: NEVER };
  let added = 0;

  /** Asked for with every booking, and the same one for an hour at least. */
  function endOf(window: BudgetWindow, at: number): number {
    const { startMs, endMs } = windows[window];
    if (at >= startMs && at < endMs) return endMs;
    windows[window] = windowOf(window, at);
    return windows[window].endMs;
  }
  function shardOf(name: string): Shard {
    let shard = shards.get(name);
    if (shard === undefined) {
      shard = { hour: new Map(), day: new Map(), month: new Map() };
      shards.set(name, shard);
    }
    return shard;
  }
  function counterOf(counters: Map<string, Counter>, name: string, endMs: number): Counter {
    let counter = counters.get(name);
    if (counter === undefined || counter.endMs !== endMs) {
      counter = { used: 0, endMs };
      counters.set(name, counter);
      added += 1;
      if (added % SWEEP_EVERY === 0) sweep();
    }
    return counter;
  }
  function sweep(): void {
    const at = now();
    for (const shard of shards.values())
      for (const counters of Object.values(shard))
        for (const [name, { endMs }] of counters) if (endMs <= at) counters.delete(name);
  }

  function put(name: string, { lines, amount }: BudgetAsk, isConsumed: boolean): BookingAnswer {
    const shard = shardOf(name);
    const at = now();
    const counters: Counter[] = [];
    let exceeded: BookingAnswer | null = null;
    for (const [line, { name: whose, window, limit }] of lines.entries()) {
      const endMs = endOf(window, at);
      const counter = counterOf(shard[window], whose, endMs);
      if (amount === 0 ? counter.used >= limit : counter.used + amount > limit) {
        exceeded ??= { outcome: 'exceeded', line, endsInMs: endMs - at };
        if (!isConsumed) return exceeded;
      }
      counters.push(counter);
    }
    for (const counter of counters) counter.used += amount;
    return exceeded ?? { outcome: 'booked', counters };
  }

  // An answer of this store is always heard: nothing is asked twice, nothing withdrawn, nothing settled twice.
  return {
    book: (shard, ask) => put(shard, ask, false),
    consume: (shard, ask) => put(shard, ask, true),
    withdraw() {},
    settle(_shard, _id, counters, by) {
      for (const counter of counters as readonly Counter[]) counter.used = Math.max(0, counter.used + by); // made by `put`
    },
  };
}
