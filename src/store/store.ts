// The interface to state that must be exact and is shared by replicas: kept in memory for one replica, in Redis for several.
// A call that cannot be decided because the store is away rejects with the Problem `store_unavailable`.

import type { BudgetStore } from './budgets.ts';
import type { LeaseAnswer, LeaseAsk, LeaseHolder, LeaseKind, PoolRules, PoolView } from './lease-rules.ts';
import type { BeatAnswer } from './lease-table.ts';
import type { MaybePromise } from './maybe-promise.ts';
import type { Peers } from './peers.ts';
import type { RateStore } from './rates.ts';
import type { RevocationStore } from './revocations.ts';
import type { SingleUseStore } from './single-use.ts';
import type { UsageRecords } from './usage-records.ts';

/** One pool of leases. */
export interface LeasePool {
  acquire(rules: PoolRules, ask: LeaseAsk): MaybePromise<LeaseAnswer>;
  /** @returns in how many milliseconds a new ask may succeed */
  release(rules: PoolRules, ids: readonly string[]): MaybePromise<number>;
  /** A replica's heartbeat: confirms the leases that it holds, and tells what became of its waiting asks. */
  beat(rules: PoolRules, owner: string, held: readonly LeaseHolder[], waiting: readonly string[]): Promise<BeatAnswer>;
  /** Called when upstream refused in spite of a lease. */
  lower(rules: PoolRules): Promise<void>;
  view(rules: PoolRules): Promise<PoolView>;
}

/** Events that the store reports. */
export interface StoreEvents {
  /** A waiting ask of this replica may have been granted: `beat` says whether. */
  readonly onWake: (id: string) => void;
  /** The list of revocations has changed. */
  readonly onRevocations: () => void;
  /** The store has lost its contents or can be reached again: whoever holds something has to enter it again. */
  readonly onRenewed: () => void;
}

export interface Store {
  /** Name of this replica, unique. */
  readonly replica: string;
  /** Whether other replicas may use it too, and it may be away. */
  readonly isShared: boolean;
  leases(kind: LeaseKind): LeasePool;
  readonly budgets: BudgetStore;
  readonly revocations: RevocationStore;
  readonly singleUse: SingleUseStore;
  readonly usage: UsageRecords;
  /** `null`: this replica counts alone. */
  readonly rates: RateStore | null;
  readonly peers: Peers;
  /** Reports events from now on. */
  listen(events: Partial<StoreEvents>): void;
  /** `starting`: never reached so far. `away`: reached before, not now. In memory always `up`. */
  readonly state: 'starting' | 'up' | 'away';
  /** Resolves when it is reached for the first time. */
  readonly reached: Promise<void>;
  close(): Promise<void>;
}
