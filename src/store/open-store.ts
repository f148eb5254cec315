// The store that the configuration asks for.
import type { RedisTlsFiles } from '../config/config.ts';
import type { PemWatching } from '../config/watch-pem-files.ts';
import { createMemoryStore } from './memory-store.ts';
import type { RedisAddress } from './redis/redis-client.ts';
import type { RedisTls } from './redis/redis-tls.ts';
import type { Store } from './store.ts';
import type { StoreObserver } from './store-call.ts';
import type { StoreConditionObserver } from './store-condition.ts';

export interface StoreObservers {
  readonly onCall: StoreObserver;
  readonly onCondition: StoreConditionObserver;
}

/**
 * Resolves at once, also where Redis is not up yet: that is in its `state`.
 * @param redis `null` = in memory
 * @param observers told of every call to Redis, and of whether it can be asked
 */
export async function openStore(redis: RedisAddress | null, prefix: string, observers: StoreObservers): Promise<Store> {
  if (redis === null) return createMemoryStore();
  // Only read where it is used: the client is a tenth of a second of start.
  const { createRedisStore } = await import('./redis/redis-store.ts');
  return createRedisStore({ ...redis, prefix, ...observers });
}

/**
 * Rejects where a file cannot be used.
 * @param files `null` = there are none, nor is anything said of them
 */
export async function openRedisTls(files: RedisTlsFiles | null, watching: PemWatching): Promise<RedisTls | null> {
  if (files === null) return null;
  const redisTls = await import('./redis/redis-tls.ts');
  return redisTls.openRedisTls(files, watching);
}
