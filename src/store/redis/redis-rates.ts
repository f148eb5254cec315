// Rates in Redis: a counter with an expiry for each window.
import type { RateStore } from '../rates.ts';
import { type RedisLink, redisScript } from './redis-link.ts';
import type { RedisPresence } from './redis-presence.ts';

const HIT = redisScript(`
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { count, redis.call('PTTL', KEYS[1]) }
`);

export function createRedisRates(link: RedisLink, prefix: string, presence: RedisPresence): RateStore {
  return {
    async hit(name, windowMs) {
      const answer = await link.run('rate_hit', HIT, [`${prefix}:rate:${name}`], [String(windowMs)]);
      const [count, ttl] = answer as [number, number]; // the script's
      return { count: Number(count), resetMs: Math.max(0, Number(ttl)) };
    },
    get replicas() {
      return presence.replicas;
    },
  };
}
