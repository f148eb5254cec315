// The state that replicas share: the store, in memory or at Redis, and the limits that are kept in it.
import type { Secret } from '../config/secret.ts';
import { createLimits, type Limits } from '../limits/limits.ts';
import { measureLimits, observeLimits } from '../limits/observe-limits.ts';
import { observeStore } from '../store/observe-store.ts';
import { openRedisTls, openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import type { Basics } from './basics.ts';

export interface SharedState {
  readonly store: Store;
  readonly limits: Limits;
  /** Connections made from now on use this URL. Without Redis it changes nothing. */
  renewRedisUrl(url: Secret): void;
}

/** Resolves even if Redis cannot be reached yet; rejects if the files for it cannot be used. */
export async function openSharedState({ config, logger, metrics, files, closing }: Basics): Promise<SharedState> {
  const url = config.store.redisUrl === null ? null : { current: config.store.redisUrl };
  const tls = await openRedisTls(config.store.redisTls, files.pemWatching('redis'));
  if (tls !== null) files.add(tls);
  // Runs at each reconnect: if the Redis password has changed, the file has the new one by now, or soon will.
  const refresh = (): void => {
    files.lookAtSecret('redis_url');
    tls?.look();
  };
  const redis = url === null ? null : { url, tls, refresh };
  const store = await openStore(redis, config.store.prefix, observeStore(logger, metrics.limits));
  closing.add(() => store.close());
  const limits = createLimits({ config, store, onEvent: observeLimits(metrics.limits) });
  closing.add(() => limits.close());
  measureLimits(metrics.limits, limits, store);
  return {
    store,
    limits,
    renewRedisUrl(next) {
      if (url !== null) url.current = next;
    },
  };
}
