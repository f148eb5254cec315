// Single-use names of a single replica, in memory.
import { RESERVE_MS, type SingleUseStore } from './single-use.ts';

/** @param now epoch milliseconds */
export function createMemorySingleUse(now: () => number): SingleUseStore {
  /** In order of use. All are valid for about the same time, so the oldest are in front. */
  const used = new Map<string, { readonly by: string; readonly untilMs: number }>();

  function forgetOld(): void {
    for (const [name, { untilMs }] of used) {
      if (untilMs + RESERVE_MS > now()) return;
      used.delete(name);
    }
  }

  return {
    async use(name, by, untilMs) {
      forgetOld();
      if (used.has(name)) return false;
      used.set(name, { by, untilMs });
      return true;
    },
    async giveBack(name, by) {
      if (used.get(name)?.by === by) used.delete(name);
    },
  };
}
