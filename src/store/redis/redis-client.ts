// One connection to Redis as the client library keeps it: fails fast, queues nothing, connects anew by itself.
import type { Redis, RedisOptions } from 'ioredis';
import type { CurrentSecret } from '../../config/secret.ts';
import { guardAnswers } from './redis-guard.ts';
import type { RedisTls } from './redis-tls.ts';
import { isOfSelect } from './redis-trouble.ts';

const CONNECT_TIMEOUT_MS = 1_000;
/** A store that is back is found within this. */
const RECONNECT_STEP_MS = 50;
const RECONNECT_MAX_MS = 500;
/** A connection that did not last for so long is one more failed attempt. Less than lies between two that are left on purpose (redis-link.ts). */
const LASTING_MS = 500;
/** A connection on which nothing comes back for this long is given up: a new one may fare better. */
const SILENT_MS = 2_000;

/** What a URL says of a connection; the client reads these of its options each time it connects. */
const WHERE_AND_WHO = ['host', 'port', 'path', 'family', 'username', 'password', 'db', 'tls'] as const;

/** Where Redis is, and how it is spoken to; both looked up each time a connection is made. */
export interface RedisAddress {
  readonly url: CurrentSecret;
  /** Where it is given there is no connection without TLS, whatever the URL says. */
  readonly tls?: Pick<RedisTls, 'context'> | null;
  /** Told before they are looked up again: the files that they came from may have changed. */
  readonly refresh?: () => void;
}

/** Not connected yet: that begins with `connectRedis`, behind whoever listens. */
export async function createRedisClient({ url, tls = null, refresh = () => {} }: RedisAddress): Promise<Redis> {
  // It is 200 files that a broker without Redis never reads.
  const { Redis } = await import('ioredis');
  await guardAnswers();
  let attempts = 0;
  let readyMs = Number.POSITIVE_INFINITY;
  const options = {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false, // a lease that was given up must not be taken later
    autoResubscribe: false,
    enableReadyCheck: false, // it needs a right of its own, says nothing of why not, and looks again after ten seconds
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
  // Said out loud: NODE_TLS_REJECT_UNAUTHORIZED=0 must not reach this connection.
  const useTls = (): void => {
    if (tls !== null) redis.options.tls = { secureContext: tls.context, rejectUnauthorized: true };
  };
  useTls();
  redis.on('ready', () => {
    readyMs = performance.now();
  });
  // An error without a listener would be written to standard error.
  redis.on('error', (error) => {
    if (error instanceof Error && isOfSelect(error)) redis.disconnect(true); // it would go on with database 0
  });
  redis.on('reconnecting', () => {
    refresh();
    const { options: now } = new Redis(url.current.reveal(), { lazyConnect: true });
    for (const name of WHERE_AND_WHO) Object.assign(redis.options, { [name]: now[name] });
    useTls();
  });
  return redis;
}

/** The first attempt fails where Redis is not up yet; the client goes on trying. */
export function connectRedis(redis: Redis): void {
  redis.connect().catch(() => {});
}
