// Names used once, of a single replica.
import type { SingleUseStore } from './single-use.ts';

const SWEEP_EVERY = 1_000;

/** @param now epoch milliseconds */
export function createMemorySingleUse(now: () => number): SingleUseStore {
  const used = new Map<string, { readonly by: string; readonly untilMs: number }>();
  let added = 0;
  return {
    async use(name, by, untilMs) {
      if (used.has(name)) return false;
      used.set(name, { by, untilMs });
      added += 1;
      if (added % SWEEP_EVERY === 0) for (const [old, { untilMs: end }] of used) if (end <= now()) used.delete(old);
      return true;
    },
    async giveBack(name, by) {
      if (used.get(name)?.by === by) used.delete(name);
    },
  };
}
