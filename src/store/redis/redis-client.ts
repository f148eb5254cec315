// One connection to Redis through the client library: fails fast, queues nothing, reconnects by itself.
import type { Redis, RedisOptions } from 'ioredis';
import type { CurrentSecret } from '../../config/secret.ts';
import { guardAnswers } from './redis-guard.ts';
import type { RedisTls } from './redis-tls.ts';
import { isOfSelect } from './redis-trouble.ts';

const CONNECT_TIMEOUT_MS = 1_000;
/** Each further attempt waits one step longer, up to the maximum: a store that is back is found within that. */
const RECONNECT_STEP_MS = 50;
const RECONNECT_MAX_MS = 500;
/** A connection that ends sooner counts as a failed attempt. Shorter than the time between deliberate reconnections (redis-link.ts). */
const LASTING_MS = 500;
/** A connection on which no reply comes for this long is given up: a new one may do better. */
const SILENT_MS = 2_000;

/** Options that come from the URL; the client reads them each time it connects. */
const WHERE_AND_WHO = ['host', 'port', 'path', 'family', 'username', 'password', 'db', 'tls'] as const;

/** Where Redis is and how to connect to it; looked up for each connection. */
export interface RedisAddress {
  readonly url: CurrentSecret;
  /** If given, every connection uses TLS, whatever the URL says. */
  readonly tls?: Pick<RedisTls, 'context'> | null;
  /** Called before both are looked up again: the files that they came from may have changed. */
  readonly refresh?: () => void;
}

/** The client is not connected yet: call `connectRedis` once all listeners are attached. */
export async function createRedisClient({ url, tls = null, refresh = () => {} }: RedisAddress): Promise<Redis> {
  // Imported here: it is 200 files that a broker without Redis never reads.
  const { Redis } = await import('ioredis');
  await guardAnswers();
  let attempts = 0;
  let readyMs = Number.POSITIVE_INFINITY;
  const options = {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false, // a lease that was given up must not be taken later
    autoResubscribe: false,
    enableReadyCheck: false, // it needs a permission of its own, hides why it fails, and tries again only after ten seconds
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy() {
      attempts = performance.now() - readyMs >= LASTING_MS ? 1 : attempts + 1;
      readyMs = Number.POSITIVE_INFINITY;
      return Math.min(RECONNECT_MAX_MS, attempts * RECONNECT_STEP_MS);
    },
    disableClientInfo: true,
    lazyConnect: true,
    socketTimeout: SILENT_MS,
  } satisfies RedisOptions;
  const redis = new Redis(url.current.reveal(), options);
  // `rejectUnauthorized` is explicit because NODE_TLS_REJECT_UNAUTHORIZED=0 must not affect this connection.
  const useTls = (): void => {
    if (tls !== null) redis.options.tls = { secureContext: tls.context, rejectUnauthorized: true };
  };
  useTls();
  redis.on('ready', () => {
    readyMs = performance.now();
  });
  // Without a listener the client writes errors to standard error.
  redis.on('error', (error) => {
    if (error instanceof Error && isOfSelect(error)) redis.disconnect(true); // otherwise it would go on with database 0
  });
  redis.on('reconnecting', () => {
    refresh();
    const { options: now } = new Redis(url.current.reveal(), { lazyConnect: true });
    for (const name of WHERE_AND_WHO) Object.assign(redis.options, { [name]: now[name] });
    useTls();
  });
  return redis;
}

/** The first attempt fails if Redis is not up yet; the client keeps trying. */
export function connectRedis(redis: Redis): void {
  redis.connect().catch(() => {});
}
