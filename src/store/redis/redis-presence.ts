// Knows which replicas exist: each reports every five seconds, and is forgotten when it leaves or was silent for fifteen.
import type { RedisLink } from './redis-link.ts';
import { never, numberIn, redisScript } from './redis-script.ts';

/** A replica that is silent for this long counts as gone. */
export const FORGOTTEN_AFTER_SECONDS = 15;

/** KEYS: replicas by when they were last seen. ARGV: this one. Removes first: a full Redis lets a script add only after it has written. */
const PRESENT = redisScript(
  `
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. time[1], '+inf') -- of before the clock was set back
redis.call('ZADD', KEYS[1], time[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] - ${FORGOTTEN_AFTER_SECONDS})
redis.call('EXPIRE', KEYS[1], ${FORGOTTEN_AFTER_SECONDS})
return redis.call('ZCARD', KEYS[1])
`,
  { read: numberIn, hasWritten: never },
);

const PRESENT_EVERY_MS = 5_000;

export interface RedisPresence {
  /** A sorted set: replicas by when they were last seen, in seconds of Redis' clock. */
  readonly key: string;
  /** Seen recently, this one included. */
  readonly replicas: number;
  close(): Promise<void>;
}

export function createRedisPresence(link: RedisLink, prefix: string, replica: string): RedisPresence {
  const key = `${prefix}:{replicas}`;
  let replicas = 1;
  const present = async (): Promise<void> => {
    try {
      replicas = Math.max(1, await link.run('presence', PRESENT, [key], [replica]));
    } catch {
      // the last known number is the best guess
    }
  };
  link.onReady(() => void present());
  const timer = setInterval(() => void present(), PRESENT_EVERY_MS).unref();
  return {
    key,
    get replicas() {
      return replicas;
    },
    async close() {
      clearInterval(timer);
      await link.command('presence', 'ZREM', key, replica).catch(() => {}); // otherwise it is forgotten a little later
    },
  };
}
