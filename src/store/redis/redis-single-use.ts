// Single-use names in Redis. Each is a key of its own, so they spread over a cluster.
import { RESERVE_MS, type SingleUseStore } from '../single-use.ts';
import { notUnderstood, type RedisLink } from './redis-link.ts';
import { never, nothing, redisScript } from './redis-script.ts';

/** KEYS: the name. ARGV: who used it. */
const GIVE_BACK = redisScript(
  `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`,
  { read: nothing, hasWritten: never },
);

/** @param epochNow epoch milliseconds of this replica, the clock that `untilMs` refers to: Redis' own may differ */
export function createRedisSingleUse(link: RedisLink, prefix: string, epochNow: () => number): SingleUseStore {
  const keyOf = (name: string): string => `${prefix}:used:${name}`;
  return {
    async use(name, by, untilMs) {
      const lifeMs = String(Math.ceil(Math.max(0, untilMs - epochNow())) + RESERVE_MS);
      const answer = await link.command('single_use', 'SET', keyOf(name), by, 'NX', 'PX', lifeMs);
      if (answer !== 'OK' && answer !== null) throw notUnderstood();
      return answer === 'OK';
    },
    async giveBack(name, by) {
      await link.run('single_use_back', GIVE_BACK, [keyOf(name)], [by]);
    },
  };
}
