// Rates in Redis: a counter with an expiry for each window.
import type { RateStore } from '../rates.ts';
import { type RedisLink, redisScript } from './redis-link.ts';

const HIT = redisScript(`
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { count, redis.call('PTTL', KEYS[1]) }
`);

/** KEYS: replicas by when they were heard of. ARGV: this one. */
const PRESENT = redisScript(`
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] - 15)
return redis.call('ZCARD', KEYS[1])
`);

const PRESENT_EVERY_MS = 5_000;

export interface RedisRates extends RateStore {
  close(): void;
}

export function createRedisRates(link: RedisLink, prefix: string, replica: string): RedisRates {
  let replicas = 1;
  const present = async (): Promise<void> => {
    try {
      replicas = Math.max(1, Number(await link.run('replicas', PRESENT, [`${prefix}:{replicas}`], [replica])));
    } catch {
      // the number of before is the best guess
    }
  };
  link.onReady(() => void present());
  const timer = setInterval(() => void present(), PRESENT_EVERY_MS).unref();
  return {
    async hit(name, windowMs) {
      const [count, ttl] = (await link.run('rate_hit', HIT, [`${prefix}:rate:${name}`], [String(windowMs)])) as [
        number,
        number,
      ]; // the script's
      return { count: Number(count), resetMs: Math.max(0, Number(ttl)) };
    },
    get replicas() {
      return replicas;
    },
    close: () => clearInterval(timer),
  };
}
