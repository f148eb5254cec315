// Budgets of a single replica, in memory.
import type { BudgetWindow } from '../config/budget.ts';
import { windowOf } from './budget-window.ts';
import type { BookingAnswer, BudgetAsk, BudgetStore } from './budgets.ts';

type Window = ReturnType<typeof windowOf>;

/** The counter of one window. What was booked on it is settled on it, even after the next window has begun. */
interface Counter {
  used: number;
  endMs: number;
}

/** Counters by subject; one that is shared by all subjects stands under the empty name. */
type Line = Map<string, Counter>;
/** Lines by name. Name and subject are looked up one after the other, so that no joint key has to be built. */
type Shard = Map<string, Line>;

/** Old counters are swept each time this many have been added. */
const SWEEP_EVERY = 10_000;
const NOBODY = '';

/** @param now epoch milliseconds */
export function createMemoryBudgets(now: () => number): BudgetStore {
  const shards = new Map<string, Shard>();
  // A Map, not a record: window names from the configuration are separate string objects, and V8 tells record keys apart by identity.
  // With a record it recompiled the reading function ten times a second, forever.
  const windows = new Map<BudgetWindow, Window>();
  let added = 0;

  /** Cached: every booking needs it, and a window lasts an hour at least. */
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
    // The clock was set back: what was booked in the window that has not begun after all counts in this one.
    if (counter !== undefined && counter.endMs > endMs) counter.endMs = endMs;
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

  // Answers of this store cannot get lost: nothing is booked or settled twice, or withdrawn.
  return {
    book: (shard, ask) => put(shard, ask, false),
    consume: (shard, ask) => put(shard, ask, true),
    withdraw() {},
    settle(_shard, _id, counters, by) {
      for (const counter of counters as readonly Counter[]) counter.used = Math.max(0, counter.used + by); // made by `put`
    },
  };
}
