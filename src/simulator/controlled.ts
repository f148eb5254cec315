// What a test or a developer can read and change on a running simulator.

import type { Clock } from './clock.ts';
import type { SlotCounters, SlotKind } from './concurrency.ts';
import type { Faults } from './faults.ts';
import type { FrontDoor } from './front-door.ts';
import type { Journal } from './journal.ts';
import type { Grants, Settings } from './settings.ts';
import { configure, type SettingsPatch } from './settings-patch.ts';
import type { World } from './world.ts';

/** The same abilities in the process and over the control listener. */
export interface Controlled {
  readonly journal: Journal;
  readonly faults: Faults;
  /** Mutable at run time. */
  readonly settings: Settings;
  readonly clock: Clock;
  /** Changes several settings at once, by plan or by name. @throws SettingsError */
  configure(patch: SettingsPatch): void;
  /** Makes a token like those of `POST /access-token`, without a request. Default: all grants, 300 s. */
  mintToken(wish?: { readonly grants?: Partial<Grants>; readonly seconds?: number }): string;
  counters(): SimulatorCounters;
  /** Sets high-water marks to what is open now, and all other counts to 0. */
  resetCounters(): void;
}

/** What was used since the start or the last `resetCounters()`. */
export interface SimulatorCounters extends Readonly<Record<SlotKind, SlotCounters>> {
  readonly creditsSpent: number;
  readonly openConnections: number;
}

export function controlledBy(world: World, door: FrontDoor): Controlled {
  const { settings, clock, journal, faults, tokens, concurrency, credits } = world;
  return {
    journal,
    faults,
    settings,
    clock,
    configure: (patch) => configure(settings, patch),
    mintToken: ({ grants = { tts: true, stt: true, agent: true }, seconds = 300 } = {}) =>
      tokens.sign({ grants, seconds, nowMs: clock.now() }),
    counters: () => ({
      ...concurrency.counters(),
      creditsSpent: credits.spent,
      openConnections: door.openConnections,
    }),
    resetCounters: () => {
      concurrency.reset();
      credits.reset();
    },
  };
}
