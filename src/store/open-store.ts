// The store that the configuration asks for.
import type { CurrentSecret } from '../config/secret.ts';
import { createMemoryStore } from './memory-store.ts';
import type { Store } from './store.ts';
import type { StoreObserver } from './store-call.ts';
import type { StoreConditionObserver } from './store-condition.ts';

export interface StoreObservers {
  readonly onCall: StoreObserver;
  readonly onCondition: StoreConditionObserver;
}

/**
 * Resolves at once, also where Redis is not up yet: that is in its `state`.
 * @param redisUrl looked up each time a connection is made; `null` = in memory
 * @param observers told of every call to Redis, and of whether it can be asked
 */
export async function openStore(
  redisUrl: CurrentSecret | null,
  prefix: string,
  observers: StoreObservers,
): Promise<Store> {
  if (redisUrl === null) return createMemoryStore();
  // Only read where it is used: the client is a tenth of a second of start.
  const { createRedisStore } = await import('./redis/redis-store.ts');
  return createRedisStore({ url: redisUrl, prefix, ...observers });
}
