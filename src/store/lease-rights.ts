// Decides whether one more lease fits: into the pool, beside the reserves of others, and within the limits of client app and subject.
import type { Counts } from './lease-counts.ts';
import type { LeaseTable } from './lease-entries.ts';
import type { LeaseAsk, PoolRules } from './lease-rules.ts';

export function isFree(table: LeaseTable, rules: PoolRules, ask: LeaseAsk, counts: Counts, now: number): boolean {
  const ofClient = counts.client.held;
  if (ask.clientMax !== null && ofClient >= ask.clientMax) return false;
  if (ask.subjectMax !== null && counts.subject.held >= ask.subjectMax) return false;
  const limit = limitNow(table, rules, now);
  if (limit === null) return true;
  const free = limit - table.leases.size;
  if (free <= 0) return false;
  if (rules.reserved.size === 0) return true;
  if (ofClient < (rules.reserved.get(ask.client) ?? 0)) return true;
  let kept = 0;
  for (const [client, reserved] of rules.reserved) {
    if (client !== ask.client) kept += Math.max(0, reserved - table.counts.heldBy(client));
  }
  return free - kept >= 1;
}

export function isFull(table: LeaseTable, rules: PoolRules, now: number): boolean {
  const limit = limitNow(table, rules, now);
  return limit !== null && table.leases.size >= limit;
}

/** `null` = not lowered now. */
export function loweredLimit({ lowered }: LeaseTable, now: number): number | null {
  return lowered !== null && lowered.until > now ? lowered.limit : null;
}

function limitNow(table: LeaseTable, { limit }: PoolRules, now: number): number | null {
  if (limit === null || table.lowered === null) return limit;
  return Math.min(limit, loweredLimit(table, now) ?? limit);
}
