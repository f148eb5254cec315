// Revocations of a single replica, in memory.
import { revocationKey } from './revocation-key.ts';
import type { Revocation, RevocationStore } from './revocations.ts';

/**
 * @param now epoch milliseconds
 * @param changed told of every change
 */
export function createMemoryRevocations(now: () => number, changed: () => void): RevocationStore {
  const revoked = new Map<string, Revocation>();
  let version = 0;
  const change = (): void => {
    version += 1;
    changed();
  };
  return {
    async list() {
      const at = now();
      for (const [key, one] of revoked) if (one.scope === 'token' && one.untilMs <= at) revoked.delete(key);
      return [...revoked.values()];
    },
    async add(one) {
      revoked.set(revocationKey(one), one);
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
