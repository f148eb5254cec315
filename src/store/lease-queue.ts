// Decides which waiting ask is next when a lease becomes free.
import {
  dropWaiter,
  forgetTurns,
  grant,
  type LeaseTable,
  turnsOfSubjects,
  type Waiter,
  type WaitingTurns,
} from './lease-entries.ts';
import { isFree, isFull } from './lease-rights.ts';
import type { LeaseTimes, PoolRules } from './lease-rules.ts';
import { takeTurn, turnsTaken } from './lease-turns.ts';

/** A waiting ask that has been granted its lease. */
export interface Granted {
  readonly id: string;
  readonly owner: string;
}

/** Grants free leases to waiting asks, one turn at a time. */
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
    takeTurn(table.turns.clients, ask.client, 1 / ask.weight);
    takeTurn(turnsOfSubjects(table, ask.client), ask.subject, 1);
    dropWaiter(table, next);
    grant(table, ask, counts, now, now + times.offerMs);
    granted(ask);
  }
  forgetTurns(table);
}

/**
 * Of the asks that can be granted now: the client app with the fewest turns (then the first by name), within it the subject with the
 * fewest turns (then the one holding fewer leases, then the oldest ask). The queue is bounded, so walking it costs less than sorting it.
 */
function nextWaiter(table: LeaseTable, rules: PoolRules, now: number): Waiter | null {
  let best: Waiter | null = null;
  for (const waiter of table.waiters.all()) {
    if (best !== null && !isBefore(waiter, best, table.turns)) continue;
    if (isFree(table, rules, waiter.ask, waiter.counts, now)) best = waiter;
  }
  return best;
}

function isBefore(a: Waiter, b: Waiter, { clients, subjects }: WaitingTurns): boolean {
  const client = a.ask.client;
  if (client !== b.ask.client) {
    const turns = turnsTaken(clients, client) - turnsTaken(clients, b.ask.client);
    return turns === 0 ? client < b.ask.client : turns < 0;
  }
  const ofClient = subjects.get(client);
  const turns = turnsTaken(ofClient, a.ask.subject) - turnsTaken(ofClient, b.ask.subject);
  if (turns !== 0) return turns < 0;
  const held = a.counts.subject.held - b.counts.subject.held;
  return held === 0 ? a.order < b.order : held < 0;
}
