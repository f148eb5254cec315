// The contents of a pool of leases: held leases, waiting asks, and the counts that change together with them.
import { type Named, NameTable } from '../collections/name-table.ts';
import { type Counts, LeaseCounts } from './lease-counts.ts';
import { HOLD_GUESS_MS, type LeaseAsk, type LeaseHolder } from './lease-rules.ts';
import { beginWaiting, endWaiting, newTurns, type Turns } from './lease-turns.ts';

/** A lease as the table keeps it; its holder has `Lease` of limits/lease.ts. */
export interface LeaseEntry extends LeaseHolder, Named<LeaseEntry> {
  readonly owner: string;
  readonly counts: Counts;
  readonly grantedAt: number;
  expiresAt: number;
}

export interface Waiter extends Named<Waiter> {
  readonly ask: LeaseAsk;
  readonly order: number;
  readonly counts: Counts;
  readonly expiresAt: number;
}

export interface LeaseTable {
  readonly leases: NameTable<LeaseEntry>;
  readonly waiters: NameTable<Waiter>;
  readonly counts: LeaseCounts;
  turns: WaitingTurns;
  order: number;
  /** Running mean of how long leases are held, milliseconds. */
  holdMs: number;
  lowered: { readonly limit: number; readonly until: number } | null;
  /** Nothing expires before this time, so `expire` has nothing to do until then. */
  nextExpiry: number;
}

/** Turns taken since the queue was last empty. */
export interface WaitingTurns {
  readonly clients: Turns;
  /** Turns of the subjects, by client app. */
  readonly subjects: Map<string, Turns>;
}

export function createLeaseTable(): LeaseTable {
  return {
    leases: new NameTable(),
    waiters: new NameTable(),
    counts: new LeaseCounts(),
    turns: noTurns(),
    order: 0,
    holdMs: HOLD_GUESS_MS,
    lowered: null,
    nextExpiry: Number.POSITIVE_INFINITY,
  };
}

function noTurns(): WaitingTurns {
  return { clients: newTurns(), subjects: new Map() };
}

export function grant(
  table: LeaseTable,
  { id, client, subject, owner }: LeaseHolder & { readonly owner: string },
  counts: Counts,
  now: number,
  until: number,
): void {
  table.leases.add({ id, client, subject, owner, counts, grantedAt: now, expiresAt: until, next: null });
  counts.client.held += 1;
  counts.subject.held += 1;
  if (until < table.nextExpiry) table.nextExpiry = until;
}

export function dropLease(table: LeaseTable, lease: LeaseEntry): void {
  table.leases.delete(lease);
  lease.counts.client.held -= 1;
  lease.counts.subject.held -= 1;
}

export function enqueue(table: LeaseTable, ask: LeaseAsk, counts: Counts, now: number): void {
  const { client, subject } = ask;
  table.order += 1;
  if (counts.client.queued === 0) beginWaiting(table.turns.clients, client);
  if (counts.subject.queued === 0) beginWaiting(turnsOfSubjects(table, client), subject);
  const expiresAt = now + ask.waitMs;
  table.waiters.add({ id: ask.id, ask, counts, order: table.order, expiresAt, next: null });
  counts.client.queued += 1;
  counts.subject.queued += 1;
  if (expiresAt < table.nextExpiry) table.nextExpiry = expiresAt;
}

export function dropWaiter(table: LeaseTable, waiter: Waiter): void {
  table.waiters.delete(waiter);
  waiter.counts.client.queued -= 1;
  waiter.counts.subject.queued -= 1;
  const { client, subject } = waiter.ask;
  const turns = turnsOfSubjects(table, client);
  if (waiter.counts.subject.queued === 0) endWaiting(turns, subject);
  if (turns.taken.size > 2 * waiter.counts.client.queued + TURNS_KEPT) forgetPassers(table, client);
}

/** Of subjects of a client app that do not wait now. */
const TURNS_KEPT = 1_000;

/** A busy queue may not be empty for days, and most subjects wait once. One that comes back after all counts as a newcomer. */
function forgetPassers(table: LeaseTable, client: string): void {
  const waiting = new Set<string>();
  for (const { ask } of table.waiters.all()) if (ask.client === client) waiting.add(ask.subject);
  const { taken } = turnsOfSubjects(table, client);
  for (const subject of taken.keys()) if (!waiting.has(subject)) taken.delete(subject);
}

export function turnsOfSubjects({ turns }: LeaseTable, client: string): Turns {
  let subjects = turns.subjects.get(client);
  if (subjects === undefined) {
    subjects = newTurns();
    turns.subjects.set(client, subjects);
  }
  return subjects;
}

/** Drops leases that were not confirmed in time, and asks whose wait is over. */
export function expire(table: LeaseTable, now: number): void {
  if (now < table.nextExpiry) return;
  let next = Number.POSITIVE_INFINITY;
  for (const lease of table.leases.all()) {
    if (lease.expiresAt <= now) dropLease(table, lease);
    else next = Math.min(next, lease.expiresAt);
  }
  for (const waiter of table.waiters.all()) {
    if (waiter.expiresAt <= now) dropWaiter(table, waiter);
    else next = Math.min(next, waiter.expiresAt);
  }
  table.nextExpiry = next;
  forgetTurns(table);
}

/** Once nobody waits, turns need not be remembered. */
export function forgetTurns(table: LeaseTable): void {
  if (table.waiters.size === 0 && table.turns.clients.taken.size > 0) table.turns = noTurns();
}
