// The store that the configuration asks for.
import type { CurrentSecret } from '../config/secret.ts';
import { createMemoryStore } from './memory-store.ts';
import type { Store } from './store.ts';
import type { StoreObserver } from './store-call.ts';

/**
 * Resolves at once, also where Redis is not up yet: that is in its `state`.
 * @param redisUrl looked up each time a connection is made; `null` = in memory
 * @param onCall told of every call to Redis
 */
export async function openStore(redisUrl: CurrentSecret | null, prefix: string, onCall: StoreObserver): Promise<Store> {
  if (redisUrl === null) return createMemoryStore();
  // Only read where it is used: the client is a tenth of a second of start.
  const { createRedisStore } = await import('./redis/redis-store.ts');
  return createRedisStore({ url: redisUrl, prefix, onCall });
}
