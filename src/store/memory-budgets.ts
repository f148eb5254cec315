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

/** By subject; what is nobody's own stands under no name. */
type Line = Map<string, Counter>;
/** By the name of the line: names and subjects are looked up as they come, and no key is made. */
type Shard = Map<string, Line>;

/** Swept when this many were added since the last time. */
const SWEEP_EVERY = 10_000;
const NOBODY = '';

/** @param now epoch milliseconds */
export function createMemoryBudgets(now: () => number): BudgetStore {
  const shards = new Map<string, Shard>();
  // A map and no record: the names of windows come from the configuration, each a text of its own, and V8 knows the keys of records by
  // their identity. It compiled the function that reads them anew ten times a second, for ever.
  const windows = new Map<BudgetWindow, Window>();
  let added = 0;

  /** Asked for with every booking, and the same one for an hour at least. */
  function endOf(window: BudgetWindow, at: number): number {
    let known = windows.get(window);
    if (known === undefined || at < known.startMs || at >= known.endMs) {
      known = windowOf(window, at);
      windows.set(window, known);
    }
    return known.endMs;
  }
  function shardOf(name: string): Shard {
    let shard = shards.get(name);
    if (shard === undefined) {
      shard = new Map();
      shards.set(name, shard);
    }
    return shard;
  }
  function counterOf(lines: Shard, name: string, subject: string, endMs: number): Counter {
    let line = lines.get(name);
    if (line === undefined) {
      line = new Map();
      lines.set(name, line);
    }
    let counter = line.get(subject);
    if (counter === undefined || counter.endMs !== endMs) {
      counter = { used: 0, endMs };
      line.set(subject, counter);
      added += 1;
      if (added % SWEEP_EVERY === 0) sweep();
    }
    return counter;
  }
  function sweep(): void {
    const at = now();
    for (const lines of shards.values())
      for (const line of lines.values()) for (const [subject, { endMs }] of line) if (endMs <= at) line.delete(subject);
  }

  function put(name: string, { lines, subject, amount }: BudgetAsk, isConsumed: boolean): BookingAnswer {
    const shard = shardOf(name);
    const at = now();
    const counters: Counter[] = [];
    let exceeded: BookingAnswer | null = null;
    for (const [line, { name: whose, isOfSubject, window, limit }] of lines.entries()) {
      const endMs = endOf(window, at);
      const counter = counterOf(shard, whose, isOfSubject ? subject : NOBODY, endMs);
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
