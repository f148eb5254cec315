// Opens the store that the configuration asks for.
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
 * Resolves at once, even if Redis is not up yet: the store's `state` tells.
 * @param redis `null` = in memory
 * @param observers told of every call to Redis, and of whether it is usable
 */
export async function openStore(redis: RedisAddress | null, prefix: string, observers: StoreObservers): Promise<Store> {
  if (redis === null) return createMemoryStore();
  // Imported only when used: loading the client takes a tenth of a second at start.
  const { createRedisStore } = await import('./redis/redis-store.ts');
  return createRedisStore({ ...redis, prefix, ...observers });
}

/**
 * Rejects if a file cannot be used.
 * @param files `null` = none are configured
 */
export async function openRedisTls(files: RedisTlsFiles | null, watching: PemWatching): Promise<RedisTls | null> {
  if (files === null) return null;
  const redisTls = await import('./redis/redis-tls.ts');
  return redisTls.openRedisTls(files, watching);
}
