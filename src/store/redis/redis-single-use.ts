// Names used once, in Redis. Each is a key of its own, so they spread over a cluster.
import type { SingleUseStore } from '../single-use.ts';
import type { RedisLink } from './redis-link.ts';

/** Redis' clock and the one that made the name may differ. */
const RESERVE_MS = 60_000;

export function createRedisSingleUse(link: RedisLink, prefix: string): SingleUseStore {
  return {
    async use(name, untilMs) {
      const expiry = String(Math.ceil(untilMs) + RESERVE_MS);
      return (await link.command('single_use', 'SET', `${prefix}:used:${name}`, '1', 'NX', 'PXAT', expiry)) === 'OK';
    },
  };
}
