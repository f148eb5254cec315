// Counts the generations, streams and sockets that are open at once, and enforces the plan's limits on them.

import type { PlanLimits } from './settings.ts';

export type SlotKind = keyof PlanLimits;

/** One unit of concurrency. Releasing it twice is harmless. */
export interface Slot {
  release(): void;
}

/** What happened to one kind of slot since the start or the last reset. */
export interface SlotCounters {
  readonly active: number;
  /** The largest `active` seen. */
  readonly highWater: number;
  readonly granted: number;
  readonly refused: number;
}

/** Counts over the whole account, as Cartesia does: keys and tokens share one pool. */
export class Concurrency {
  readonly #limits: () => Readonly<PlanLimits>;
  readonly #counters: Record<SlotKind, { -readonly [K in keyof SlotCounters]: SlotCounters[K] }> = {
    tts: { active: 0, highWater: 0, granted: 0, refused: 0 },
    stt: { active: 0, highWater: 0, granted: 0, refused: 0 },
    agents: { active: 0, highWater: 0, granted: 0, refused: 0 },
    ttsSockets: { active: 0, highWater: 0, granted: 0, refused: 0 },
  };

  /** @param limits read at every request, so that a changed plan takes effect at once */
  constructor(limits: () => Readonly<PlanLimits>) {
    this.#limits = limits;
  }

  /** Takes a slot; null if the plan's limit is reached. */
  take(kind: SlotKind): Slot | null {
    const counter = this.#counters[kind];
    if (counter.active >= this.#limits()[kind]) {
      counter.refused += 1;
      return null;
    }
    counter.active += 1;
    counter.granted += 1;
    counter.highWater = Math.max(counter.highWater, counter.active);
    let held = true;
    return {
      release: () => {
        if (held) counter.active -= 1;
        held = false;
      },
    };
  }

  /** A copy of the counters by kind. */
  counters(): Readonly<Record<SlotKind, SlotCounters>> {
    return structuredClone(this.#counters);
  }

  /** Forgets the past; what is open stays counted. */
  reset(): void {
    for (const counter of Object.values(this.#counters)) {
      counter.highWater = counter.active;
      counter.granted = 0;
      counter.refused = 0;
    }
  }
}
