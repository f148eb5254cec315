// The store that replicas share, in Redis.
import { randomUUID } from 'node:crypto';
import type { LeaseKind, LeaseTimes } from '../lease-rules.ts';
import type { LeasePool, Store, StoreEvents } from '../store.ts';
import type { StoreObserver } from '../store-call.ts';
import type { StoreConditionObserver } from '../store-condition.ts';
import { ALL } from './lease-script.ts';
import { createRedisBudgets } from './redis-budgets.ts';
import type { RedisAddress } from './redis-client.ts';
import { createRedisLeases } from './redis-leases.ts';
import { createRedisLink } from './redis-link.ts';
import { createRedisPeers } from './redis-peers.ts';
import { createRedisPresence } from './redis-presence.ts';
import { createRedisRates } from './redis-rates.ts';
import { createRedisRevocations } from './redis-revocations.ts';
import { createRedisSingleUse } from './redis-single-use.ts';
import { createRedisUsageRecords } from './redis-usage-records.ts';

export interface RedisStoreOptions extends RedisAddress {
  /** Starts every key and channel; two deployments that share a Redis need two. */
  readonly prefix: string;
  readonly times?: Partial<LeaseTimes>;
  readonly commandTimeoutMs?: number;
  /** Epoch milliseconds of this replica. */
  readonly epochNow?: () => number;
  readonly onCall?: StoreObserver;
  readonly onCondition?: StoreConditionObserver;
}

/** Resolves at once; `state` tells whether Redis can be reached. */
export async function createRedisStore(options: RedisStoreOptions): Promise<Store> {
  const { prefix, epochNow = Date.now } = options;
  const link = await createRedisLink(options);
  const replica = randomUUID();
  const wakePrefix = `${prefix}:wake:`;
  const pools = new Map<LeaseKind, LeasePool>();
  const listeners: Partial<StoreEvents>[] = [];
  const onRenewed = (): void => {
    for (const one of listeners) one.onRenewed?.();
  };

  const presence = createRedisPresence(link, prefix, replica);
  link.subscribe(wakePrefix + replica, (id) => {
    for (const one of listeners) one.onWake?.(id);
  });
  // A pool that starts afresh grants nothing for a moment. Replicas that are not calling it have to be told, to enter what they hold.
  link.subscribe(wakePrefix + ALL, onRenewed);
  link.onReady(onRenewed);

  return {
    replica,
    isShared: true,
    leases(kind) {
      let pool = pools.get(kind);
      if (pool === undefined) {
        const times = options.times === undefined ? {} : { times: options.times };
        pool = createRedisLeases(kind, { link, prefix: `${prefix}:{account}`, wakePrefix, onRenewed, ...times });
        pools.set(kind, pool);
      }
      return pool;
    },
    budgets: createRedisBudgets(link, prefix),
    revocations: createRedisRevocations({
      link,
      prefix,
      epochNow,
      changed() {
        for (const one of listeners) one.onRevocations?.();
      },
    }),
    singleUse: createRedisSingleUse(link, prefix, epochNow),
    usage: createRedisUsageRecords(link, prefix),
    rates: createRedisRates(link, prefix, presence),
    peers: createRedisPeers({ link, prefix, replica, presence }),
    listen(events) {
      listeners.push(events);
    },
    get state() {
      return link.state;
    },
    reached: link.reached,
    async close() {
      await presence.close();
      await link.close();
    },
  };
}
