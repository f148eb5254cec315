// State that must be right, and that replicas share: one interface, kept in memory for one replica and in Redis for many.
// Whatever cannot be decided because the store is away rejects with the Problem `store_unavailable`.

import type { BudgetStore } from './budgets.ts';
import type { LeaseAnswer, LeaseAsk, LeaseHolder, LeaseKind, PoolRules, PoolView } from './lease-rules.ts';
import type { Beat } from './lease-table.ts';
import type { Peers } from './peers.ts';
import type { RateStore } from './rates.ts';
import type { RevocationStore } from './revocations.ts';
import type { SingleUseStore } from './single-use.ts';
import type { Soon } from './soon.ts';
import type { UsageRecords } from './usage-records.ts';

/** One pool of leases. */
export interface LeasePool {
  acquire(rules: PoolRules, ask: LeaseAsk): Soon<LeaseAnswer>;
  /** @returns after how many milliseconds somebody who asks anew may have luck */
  release(rules: PoolRules, ids: readonly string[]): Soon<number>;
  /** Confirms what a replica holds, and tells what became of what it has waiting. */
  beat(rules: PoolRules, owner: string, held: readonly LeaseHolder[], waiting: readonly string[]): Promise<Beat>;
  /** Upstream refused in spite of a lease. */
  lower(rules: PoolRules): Promise<void>;
  view(rules: PoolRules): Promise<PoolView>;
}

/** What the store tells of by itself. */
export interface StoreEvents {
  /** A waiting ask of this replica may have been granted: `beat` says whether. */
  readonly onWake: (id: string) => void;
  /** The list of revocations has changed. */
  readonly onRevocations: () => void;
  /** The store has forgotten, or is reached again: whoever holds something says so now. */
  readonly onRenewed: () => void;
}

export interface Store {
  /** Name of this replica, unique. */
  readonly replica: string;
  /** Other replicas may use it, and it may be away. */
  readonly isShared: boolean;
  leases(kind: LeaseKind): LeasePool;
  readonly budgets: BudgetStore;
  readonly revocations: RevocationStore;
  readonly singleUse: SingleUseStore;
  readonly usage: UsageRecords;
  /** `null`: this replica counts alone. */
  readonly rates: RateStore | null;
  readonly peers: Peers;
  /** Told from now on. */
  listen(events: Partial<StoreEvents>): void;
  /** `starting`: it was never reached. `away`: it was. In memory always `up`. */
  readonly state: 'starting' | 'up' | 'away';
  /** Resolves when it is reached for the first time. */
  readonly reached: Promise<void>;
  close(): Promise<void>;
}
