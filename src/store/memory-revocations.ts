// Revocations of a single replica, in memory.
import { revocationKey } from './revocation-key.ts';
import type { Revocation, RevocationStore } from './revocations.ts';

export interface MemoryRevocationsOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Epoch milliseconds. */
  readonly epochNow: () => number;
  /** Told of every change. */
  readonly changed: () => void;
}

interface Entry {
  readonly revocation: Revocation;
  /** By the monotonic clock; `Infinity` = never. */
  readonly endsAtMs: number;
}

export function createMemoryRevocations({ now, epochNow, changed }: MemoryRevocationsOptions): RevocationStore {
  const revoked = new Map<string, Entry>();
  let version = 0;
  const change = (): void => {
    version += 1;
    changed();
  };
  /** By both clocks: the time of day may leap ahead and be corrected, which brings an expired token back to life. */
  function isOver({ revocation, endsAtMs }: Entry): boolean {
    return revocation.scope === 'token' && endsAtMs <= now() && revocation.untilMs <= epochNow();
  }
  return {
    async list() {
      for (const [key, entry] of revoked) if (isOver(entry)) revoked.delete(key);
      return [...revoked.values()].map(({ revocation }) => revocation);
    },
    async add(one) {
      const lifeMs = one.scope === 'token' ? Math.max(0, one.untilMs - epochNow()) : Number.POSITIVE_INFINITY;
      revoked.set(revocationKey(one), { revocation: one, endsAtMs: now() + lifeMs });
      change();
    },
    async remove(one) {
      const was = revoked.delete(revocationKey(one));
      if (was) change();
      return was;
    },
    version: async () => String(version),
  };
}
