// Names used once, in Redis. Each is a key of its own, so they spread over a cluster.
import type { SingleUseStore } from '../single-use.ts';
import { notUnderstood, type RedisLink } from './redis-link.ts';
import { nothing, redisScript } from './redis-script.ts';

/** Redis' clock and the one that made the name may differ. */
const RESERVE_MS = 60_000;

/** KEYS: the name. ARGV: who used it. */
const GIVE_BACK = redisScript(
  `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`,
  { read: nothing, isWriting: false },
);

export function createRedisSingleUse(link: RedisLink, prefix: string): SingleUseStore {
  const keyOf = (name: string): string => `${prefix}:used:${name}`;
  return {
    async use(name, by, untilMs) {
      const expiry = String(Math.ceil(untilMs) + RESERVE_MS);
      const answer = await link.command('single_use', 'SET', keyOf(name), by, 'NX', 'PXAT', expiry);
      if (answer !== 'OK' && answer !== null) throw notUnderstood();
      return answer === 'OK';
    },
    async giveBack(name, by) {
      await link.run('single_use_back', GIVE_BACK, [keyOf(name)], [by]);
    },
  };
}
