// Rates in Redis: a counter with an expiry for each window.
import type { RateStore } from '../rates.ts';
import { type RedisLink, redisScript } from './redis-link.ts';
import type { RedisPresence } from './redis-presence.ts';

const HIT = redisScript(`
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
-- A clock that was set back would make a window longer.
if left < 0 or left > tonumber(ARGV[1]) then
  left = ARGV[1]
  redis.call('PEXPIRE', KEYS[1], left)
end
return { count, left }
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
