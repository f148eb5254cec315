// Single-use names of a single replica, in memory.
import { RESERVE_MS, type SingleUseStore } from './single-use.ts';

export interface MemorySingleUseOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Epoch milliseconds. */
  readonly epochNow: () => number;
}

interface Use {
  readonly by: string;
  /** Monotonic milliseconds: by a clock that is set, a name could be forgotten at once or never. */
  readonly keptUntilMs: number;
}

/** Old names are swept once there are twice as many as the last sweep has left, and this many more. */
const SWEPT_AFTER = 1_000;

export function createMemorySingleUse({ now, epochNow }: MemorySingleUseOptions): SingleUseStore {
  const used = new Map<string, Use>();
  let sweepAt = SWEPT_AFTER;

  function sweep(): void {
    const at = now();
    for (const [name, { keptUntilMs }] of used) if (keptUntilMs <= at) used.delete(name);
    sweepAt = 2 * used.size + SWEPT_AFTER;
  }

  return {
    async use(name, by, untilMs) {
      const at = now();
      const known = used.get(name);
      if (known !== undefined && known.keptUntilMs > at) return false;
      if (used.size >= sweepAt) sweep();
      used.set(name, { by, keptUntilMs: at + Math.max(0, untilMs - epochNow()) + RESERVE_MS });
      return true;
    },
    async giveBack(name, by) {
      if (used.get(name)?.by === by) used.delete(name);
    },
  };
}
