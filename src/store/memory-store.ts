// The in-memory store of a single replica. Its contents end with the process, and so does everyone who holds something in it.
import { randomUUID } from 'node:crypto';
import { createLeaseTable } from './lease-entries.ts';
import type { Granted } from './lease-queue.ts';
import { LEASE_TIMES, type LeaseKind, type LeaseTimes } from './lease-rules.ts';
import { acquire, beat, lower, release, view } from './lease-table.ts';
import { createMemoryBudgets } from './memory-budgets.ts';
import { createMemoryPeers } from './memory-peers.ts';
import { createMemoryRevocations } from './memory-revocations.ts';
import { createMemorySingleUse } from './memory-single-use.ts';
import { createMemoryUsageRecords } from './memory-usage-records.ts';
import type { LeasePool, Store, StoreEvents } from './store.ts';

export interface MemoryStoreOptions {
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Epoch milliseconds. They may go back or leap: the clock was set, or the machine was suspended, which stops the other clock. */
  readonly epochNow?: () => number;
  /** By default leases do not expire, since a holder in the same process cannot be lost. */
  readonly times?: Partial<LeaseTimes>;
}

export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  const { now = () => performance.now(), epochNow = Date.now, times: given } = options;
  const times: LeaseTimes = {
    ...LEASE_TIMES,
    ttlMs: Number.POSITIVE_INFINITY,
    offerMs: Number.POSITIVE_INFINITY,
    ...given,
  };
  const pools = new Map<LeaseKind, LeasePool>();
  const listeners: Partial<StoreEvents>[] = [];
  // After the call that granted it, whose caller has not received its own answer yet.
  const wake = ({ id }: Granted): void =>
    queueMicrotask(() => {
      for (const one of listeners) one.onWake?.(id);
    });

  const replica = randomUUID();
  return {
    replica,
    isShared: false,
    leases(kind) {
      let pool = pools.get(kind);
      if (pool === undefined) {
        pool = createPool(times, now, wake);
        pools.set(kind, pool);
      }
      return pool;
    },
    budgets: createMemoryBudgets(epochNow),
    revocations: createMemoryRevocations({
      now,
      epochNow,
      changed() {
        for (const one of listeners) one.onRevocations?.();
      },
    }),
    singleUse: createMemorySingleUse({ now, epochNow }),
    usage: createMemoryUsageRecords(),
    rates: null,
    peers: createMemoryPeers(replica),
    listen(events) {
      listeners.push(events);
    },
    state: 'up',
    reached: Promise.resolve(),
    async close() {},
  };
}

function createPool(times: LeaseTimes, now: () => number, wake: (one: Granted) => void): LeasePool {
  const table = createLeaseTable();
  return {
    acquire: (rules, ask) => acquire(table, rules, times, ask, now(), wake),
    release: (rules, ids) => release(table, rules, times, ids, now(), wake),
    beat: async (rules, owner, held, waiting) => beat(table, rules, times, owner, held, waiting, now(), wake),
    lower: async () => lower(table, times, now()),
    view: async () => view(table, now()),
  };
}
