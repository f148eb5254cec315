// The rules of a pool of leases with its queue, as functions over a state; time is an argument.
// Redis runs the same rules as a script (redis/lease-script.ts); a contract test and a comparison keep the two in step.
import { dropLease, dropWaiter, enqueue, expire, grant, type LeaseTable } from './lease-entries.ts';
import { type Granted, serve } from './lease-queue.ts';
import { isFree, loweredLimit } from './lease-rights.ts';
import {
  CLIENT_WAITING,
  HOLD_SHARE,
  type LeaseAnswer,
  type LeaseAsk,
  type LeaseHolder,
  type LeaseTimes,
  type PoolRules,
  type PoolView,
} from './lease-rules.ts';

/**
 * Takes a lease, or a place in the queue.
 * @param granted told of other waiting asks that are granted in passing
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
  const mayWait =
    ask.waitMs > 0 &&
    counts.subject.queued < places &&
    (!rules.isShared || counts.client.queued < CLIENT_WAITING * places);
  // The queue may be full of asks whose own limits keep them from what is free: they must not block an ask that can be granted.
  if (!mayWait && !isFree(table, rules, ask, counts, now)) return refusal(table, rules);
  enqueue(table, ask, counts, now);
  serve(table, rules, times, now, (one) => {
    if (one.id !== ask.id) granted(one);
  });
  const lease = table.leases.get(ask.id);
  if (lease !== undefined) {
    lease.expiresAt = now + times.ttlMs; // not `offerMs`: the holder gets this answer and need not be woken first
    return GRANTED;
  }
  const waiter = table.waiters.get(ask.id);
  if (mayWait || waiter === undefined) return QUEUED;
  dropWaiter(table, waiter); // what was free went to others
  return refusal(table, rules);
}

function refusal(table: LeaseTable, rules: PoolRules): LeaseAnswer {
  return { outcome: 'refused', retryAfterMs: retryAfterMs(table, rules) };
}

/**
 * Gives leases back and takes asks out of the queue; unknown ids are ignored.
 * @returns in how many milliseconds a new ask may succeed
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

/** The answer to a replica's heartbeat: what became of its waiting asks. */
export interface BeatAnswer {
  readonly granted: readonly string[];
  /** Neither waiting nor granted: they expired, or the store has lost them. */
  readonly lost: readonly string[];
}

/**
 * A replica's heartbeat: confirms its leases. One that the table does not know is entered again whatever the limit, because its generation
 * is running.
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
): BeatAnswer {
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

/** Lowers the limit after upstream refused despite a lease: the account is used elsewhere too, or its plan is smaller than configured. */
export function lower(table: LeaseTable, times: LeaseTimes, now: number): void {
  expire(table, now);
  table.lowered = { limit: Math.max(1, table.leases.size - 1), until: now + times.loweredMs };
}

export function view(table: LeaseTable, now: number): PoolView {
  expire(table, now);
  return {
    leases: table.leases.all().map(({ id, client, subject, owner, grantedAt }) => ({
      id,
      client,
      subject,
      owner,
      ageMs: Math.round(now - grantedAt),
    })),
    waiting: table.waiters.size,
    loweredTo: loweredLimit(table, now),
  };
}

const GRANTED: LeaseAnswer = { outcome: 'granted' };
const QUEUED: LeaseAnswer = { outcome: 'queued' };

/** An estimate: the queue moves up one place each time a lease ends. */
function retryAfterMs(table: LeaseTable, rules: PoolRules): number {
  const servers = Math.max(1, rules.limit ?? table.leases.size);
  return Math.ceil((table.holdMs * (table.waiters.size + 1)) / servers);
}
