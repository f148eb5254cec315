// Rates in Redis: a counter with an expiry for each window.
import type { RateCount, RateStore } from '../rates.ts';
import type { RedisLink } from './redis-link.ts';
import type { RedisPresence } from './redis-presence.ts';
import { listIn, numberIn, redisScript } from './redis-script.ts';

const HIT = redisScript(
  `
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
-- A clock that was set back would make a window longer.
if left < 0 or left > tonumber(ARGV[1]) then
  left = ARGV[1]
  redis.call('PEXPIRE', KEYS[1], left)
end
return { count, left }
`,
  {
    read(answer): RateCount {
      const [count, left] = listIn(answer);
      return { count: numberIn(count), resetMs: Math.max(0, numberIn(left)) };
    },
  },
);

export function createRedisRates(link: RedisLink, prefix: string, presence: RedisPresence): RateStore {
  return {
    hit: (name, windowMs) => link.run('rate_hit', HIT, [`${prefix}:rate:${name}`], [String(windowMs)]),
    get replicas() {
      return presence.replicas;
    },
  };
}
