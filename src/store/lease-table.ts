// A pool of leases with its queue, as functions over a state: who gets what, in which order. Time comes in as an argument.
// Redis runs the same rules as a script (redis/lease-script.ts); one contract test and one comparison hold the two together.
import { type Counts, LeaseCounts } from './lease-counts.ts';
import {
  HOLD_GUESS_MS,
  HOLD_SHARE,
  type LeaseAnswer,
  type LeaseAsk,
  type LeaseHolder,
  type LeaseTimes,
  type PoolRules,
  type PoolView,
} from './lease-rules.ts';
import { newTurns, type Turns, takeTurn, turnsTaken } from './lease-turns.ts';

interface Lease extends LeaseHolder {
  readonly owner: string;
  readonly counts: Counts;
  readonly grantedAt: number;
  expiresAt: number;
}

interface Waiter extends LeaseAsk {
  readonly order: number;
  readonly counts: Counts;
  readonly expiresAt: number;
}

export interface LeaseTable {
  readonly leases: Map<string, Lease>;
  readonly waiters: Map<string, Waiter>;
  readonly counts: LeaseCounts;
  readonly clientTurns: Turns;
  /** Of the subjects of each client app. */
  readonly subjectTurns: Map<string, Turns>;
  order: number;
  /** Mean time that a lease was held. */
  holdMs: number;
  lowered: { readonly limit: number; readonly until: number } | null;
  /** No expiry is before this: looking is skipped until then. */
  nextExpiry: number;
}

export function createLeaseTable(): LeaseTable {
  return {
    leases: new Map(),
    waiters: new Map(),
    counts: new LeaseCounts(),
    clientTurns: newTurns(),
    subjectTurns: new Map(),
    order: 0,
    holdMs: HOLD_GUESS_MS,
    lowered: null,
    nextExpiry: Number.POSITIVE_INFINITY,
  };
}

/** A waiting ask that has got its lease meanwhile. */
export interface Granted {
  readonly id: string;
  readonly owner: string;
}

/**
 * Takes a lease, or a place in the queue.
 * @param granted told of waiting asks that were served on the way
 */
export function acquire(
  table: LeaseTable,
  rules: PoolRules,
  times: LeaseTimes,
  ask: LeaseAsk,
  now: number,
  granted: (one: Granted) => void,
): LeaseAnswer {
  expire(table, now);
  if (table.leases.has(ask.id)) return GRANTED;
  if (table.waiters.has(ask.id)) return QUEUED;
  const counts = table.counts.of(ask);
  if (table.waiters.size === 0 && isFree(table, rules, ask, counts, now)) {
    grant(table, ask, counts, now, now + times.ttlMs);
    return GRANTED;
  }
  const places = rules.queueMax - table.waiters.size;
  if (ask.waitMs <= 0 || counts.subject.queued >= places) {
    return { outcome: 'refused', retryAfterMs: retryAfterMs(table, rules) };
  }
  table.order += 1;
  enqueue(table, { ...ask, counts, order: table.order, expiresAt: now + ask.waitMs });
  serve(table, rules, times, now, (one) => {
    if (one.id !== ask.id) granted(one);
  });
  const lease = table.leases.get(ask.id);
  if (lease === undefined) return QUEUED;
  lease.expiresAt = now + times.ttlMs; // asked for now: nobody has to be found first
  return GRANTED;
}

/**
 * Gives leases back and takes asks out of the queue; names that are unknown are harmless.
 * @returns when somebody who asks anew may have luck
 */
export function release(
  table: LeaseTable,
  rules: PoolRules,
  times: LeaseTimes,
  ids: readonly string[],
  now: number,
  granted: (one: Granted) => void,
): number {
  for (const id of ids) {
    const lease = table.leases.get(id);
    if (lease !== undefined) {
      table.holdMs += (now - lease.grantedAt - table.holdMs) * HOLD_SHARE;
      dropLease(table, lease);
    }
    const waiter = table.waiters.get(id);
    if (waiter !== undefined) dropWaiter(table, waiter);
  }
  expire(table, now);
  serve(table, rules, times, now, granted);
  return retryAfterMs(table, rules);
}

/** What became of the asks that a replica has waiting. */
export interface Beat {
  readonly granted: readonly string[];
  /** Neither waiting nor granted: too late, or the store has lost them. */
  readonly lost: readonly string[];
}

/**
 * Confirms leases; one that the table does not know is entered again, whatever the limit: its generation is running.
 */
export function beat(
  table: LeaseTable,
  rules: PoolRules,
  times: LeaseTimes,
  owner: string,
  held: readonly LeaseHolder[],
  waiting: readonly string[],
  now: number,
  granted: (one: Granted) => void,
): Beat {
  for (const holder of held) {
    const lease = table.leases.get(holder.id);
    if (lease === undefined) grant(table, { ...holder, owner }, table.counts.of(holder), now, now + times.ttlMs);
    else lease.expiresAt = now + times.ttlMs;
  }
  expire(table, now);
  serve(table, rules, times, now, granted);
  const answer = { granted: [] as string[], lost: [] as string[] };
  for (const id of waiting) {
    const lease = table.leases.get(id);
    if (lease !== undefined) {
      lease.expiresAt = now + times.ttlMs;
      answer.granted.push(id);
    } else if (!table.waiters.has(id)) answer.lost.push(id);
  }
  return answer;
}

/** Upstream has refused although a lease was held: somebody else uses the same account, or its plan is smaller than configured. */
export function lower(table: LeaseTable, times: LeaseTimes, now: number): void {
  expire(table, now);
  table.lowered = { limit: Math.max(1, table.leases.size - 1), until: now + times.loweredMs };
}

export function view(table: LeaseTable, now: number): PoolView {
  expire(table, now);
  return {
    leases: [...table.leases.values()].map(({ id, client, subject, owner, grantedAt }) => ({
      id,
      client,
      subject,
      owner,
      ageMs: now - grantedAt,
    })),
    waiting: table.waiters.size,
    loweredTo: loweredLimit(table, now),
  };
}

const GRANTED: LeaseAnswer = { outcome: 'granted' };
const QUEUED: LeaseAnswer = { outcome: 'queued' };

/** Whether one more fits: the pool, the reserves of others, the client app, the subject. */
function isFree(table: LeaseTable, rules: PoolRules, ask: LeaseAsk, counts: Counts, now: number): boolean {
  const ofClient = counts.client.held;
  if (ask.clientMax !== null && ofClient >= ask.clientMax) return false;
  if (ask.subjectMax !== null && counts.subject.held >= ask.subjectMax) return false;
  const limit = limitNow(table, rules, now);
  if (limit === null) return true;
  if (table.leases.size >= limit) return false;
  if (ofClient < (rules.reserved.get(ask.client) ?? 0)) return true;
  let kept = 0;
  for (const [client, reserved] of rules.reserved) {
    if (client !== ask.client) kept += Math.max(0, reserved - table.counts.heldBy(client));
  }
  return limit - table.leases.size - kept >= 1;
}

function isFull(table: LeaseTable, rules: PoolRules, now: number): boolean {
  const limit = limitNow(table, rules, now);
  return limit !== null && table.leases.size >= limit;
}

function limitNow(table: LeaseTable, rules: PoolRules, now: number): number | null {
  return rules.limit === null ? null : Math.min(rules.limit, loweredLimit(table, now) ?? rules.limit);
}

function loweredLimit({ lowered }: LeaseTable, now: number): number | null {
  return lowered !== null && lowered.until > now ? lowered.limit : null;
}

/** Hands out what is free, one turn at a time. */
function serve(
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
    dropWaiter(table, next);
    grant(table, next, next.counts, now, now + times.offerMs);
    takeTurn(table.clientTurns, next.client, 1 / next.weight);
    takeTurn(turnsOfSubjects(table, next.client), next.subject, 1);
    granted(next);
  }
  // Nobody waits: nobody has to be remembered.
  table.clientTurns.floor = 0;
  table.clientTurns.taken.clear();
  table.subjectTurns.clear();
}

/** The client app with the fewest turns, in it the subject with the fewest, of equals the one that holds less, then the eldest. */
function nextWaiter(table: LeaseTable, rules: PoolRules, now: number): Waiter | null {
  let best: Waiter | null = null;
  let bestRank: Rank = [0, 0, 0, 0];
  for (const waiter of table.waiters.values()) {
    const rank: Rank = [
      turnsTaken(table.clientTurns, waiter.client),
      turnsTaken(table.subjectTurns.get(waiter.client), waiter.subject),
      waiter.counts.subject.held,
      waiter.order,
    ];
    if (best !== null && !isBefore(rank, bestRank)) continue;
    if (!isFree(table, rules, waiter, waiter.counts, now)) continue;
    best = waiter;
    bestRank = rank;
  }
  return best;
}

type Rank = readonly [client: number, subject: number, held: number, order: number];

function isBefore(a: Rank, b: Rank): boolean {
  if (a[0] !== b[0]) return a[0] < b[0];
  if (a[1] !== b[1]) return a[1] < b[1];
  return a[2] !== b[2] ? a[2] < b[2] : a[3] < b[3];
}

function turnsOfSubjects(table: LeaseTable, client: string): Turns {
  let turns = table.subjectTurns.get(client);
  if (turns === undefined) {
    turns = newTurns();
    table.subjectTurns.set(client, turns);
  }
  return turns;
}

/** One place in the queue moves up each time a lease is held to its end. */
function retryAfterMs(table: LeaseTable, rules: PoolRules): number {
  const servers = Math.max(1, rules.limit ?? table.leases.size);
  return Math.ceil((table.holdMs * (table.waiters.size + 1)) / servers);
}

function grant(
  table: LeaseTable,
  { id, client, subject, owner }: LeaseHolder & { readonly owner: string },
  counts: Counts,
  now: number,
  until: number,
): void {
  table.leases.set(id, { id, client, subject, owner, counts, grantedAt: now, expiresAt: until });
  counts.client.held += 1;
  counts.subject.held += 1;
  table.nextExpiry = Math.min(table.nextExpiry, until);
}

function dropLease(table: LeaseTable, { id, counts }: Lease): void {
  table.leases.delete(id);
  counts.client.held -= 1;
  counts.subject.held -= 1;
}

function enqueue(table: LeaseTable, waiter: Waiter): void {
  table.waiters.set(waiter.id, waiter);
  waiter.counts.client.queued += 1;
  waiter.counts.subject.queued += 1;
  table.nextExpiry = Math.min(table.nextExpiry, waiter.expiresAt);
}

function dropWaiter(table: LeaseTable, { id, counts }: Waiter): void {
  table.waiters.delete(id);
  counts.client.queued -= 1;
  counts.subject.queued -= 1;
}

function expire(table: LeaseTable, now: number): void {
  if (now < table.nextExpiry) return;
  let next = Number.POSITIVE_INFINITY;
  for (const lease of table.leases.values()) {
    if (lease.expiresAt <= now) dropLease(table, lease);
    else next = Math.min(next, lease.expiresAt);
  }
  for (const waiter of table.waiters.values()) {
    if (waiter.expiresAt <= now) dropWaiter(table, waiter);
    else next = Math.min(next, waiter.expiresAt);
  }
  table.nextExpiry = next;
}
