// Names used once, of a single replica.
import type { SingleUseStore } from './single-use.ts';

const SWEEP_EVERY = 1_000;

/** @param now epoch milliseconds */
export function createMemorySingleUse(now: () => number): SingleUseStore {
  const used = new Map<string, number>();
  let added = 0;
  return {
    async use(name, untilMs) {
      if (used.has(name)) return false;
      used.set(name, untilMs);
      added += 1;
      if (added % SWEEP_EVERY === 0) for (const [old, until] of used) if (until <= now()) used.delete(old);
      return true;
    },
  };
}
