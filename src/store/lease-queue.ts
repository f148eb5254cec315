// Who of those that wait is next when something becomes free.
import { dropWaiter, forgetTurns, grant, type LeaseTable, turnsOfSubjects, type Waiter } from './lease-entries.ts';
import { isFree, isFull } from './lease-rights.ts';
import type { LeaseTimes, PoolRules } from './lease-rules.ts';
import { takeTurn, turnsTaken } from './lease-turns.ts';

/** A waiting ask that has got its lease meanwhile. */
export interface Granted {
  readonly id: string;
  readonly owner: string;
}

/** Hands out what is free, one turn at a time. */
export function serve(
  table: LeaseTable,
  rules: PoolRules,
  times: LeaseTimes,
  now: number,
  granted: (one: Granted) => void,
): void {
  while (table.waiters.size > 0) {
    if (isFull(table, rules, now)) return;
    const next = nextWaiter(table, rules, now);
    if (next === null) return;
    const { ask, counts } = next;
    dropWaiter(table, next);
    grant(table, ask, counts, now, now + times.offerMs);
    takeTurn(table.turns.clients, ask.client, 1 / ask.weight);
    takeTurn(turnsOfSubjects(table, ask.client), ask.subject, 1);
    granted(ask);
  }
  forgetTurns(table);
}

/**
 * The client app with the fewest turns, of equals the first by name; in it the subject with the fewest, of equals the one that holds
 * less, then the eldest. The queue is bounded: to walk it costs less than to keep it in order.
 */
function nextWaiter(table: LeaseTable, rules: PoolRules, now: number): Waiter | null {
  let best: Waiter | null = null;
  let bestRank: Rank = [0, '', 0, 0, 0];
  for (const waiter of table.waiters.all()) {
    const { ask, counts, order } = waiter;
    const rank: Rank = [
      turnsTaken(table.turns.clients, ask.client),
      ask.client,
      turnsTaken(table.turns.subjects.get(ask.client), ask.subject),
      counts.subject.held,
      order,
    ];
    if (best !== null && !isBefore(rank, bestRank)) continue;
    if (!isFree(table, rules, ask, counts, now)) continue;
    best = waiter;
    bestRank = rank;
  }
  return best;
}

type Rank = readonly [clientTurns: number, client: string, subjectTurns: number, held: number, order: number];

function isBefore(a: Rank, b: Rank): boolean {
  if (a[0] !== b[0]) return a[0] < b[0];
  if (a[1] !== b[1]) return a[1] < b[1];
  if (a[2] !== b[2]) return a[2] < b[2];
  return a[3] !== b[3] ? a[3] < b[3] : a[4] < b[4];
}
