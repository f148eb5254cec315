// How often one subject of each client app may mint.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ClientConfig } from '../config/config.ts';
import { addressKey, limiter, type RateLimiter, sharedLimiter } from '../limits/rate-limits.ts';
import type { RateStore } from '../store/rates.ts';
import { storeKey } from '../store/store-key.ts';
import { admitted } from './admitted.ts';

/** By client app name; an app whose rate is `off` has none. */
export function subjectLimiters(
  app: FastifyInstance,
  clients: readonly ClientConfig[],
  shared: RateStore | null,
): ReadonlyMap<string, RateLimiter> {
  const limiters = new Map<string, RateLimiter>();
  for (const { name, limits } of clients) {
    // One limiter a client app, so the subject alone is an unambiguous key.
    if (limits.mint === null) continue;
    const limit = { name: storeKey('mint', name), rate: limits.mint, keyOf: windowKey, shared };
    limiters.set(name, sharedLimiter(limiter(app, limits.mint, windowKey), limit));
  }
  return limiters;
}

/**
 * Nobody names an anonymous caller, and all of them share one subject: by that alone, one caller would starve the others.
 * A subject is printable, so no subject looks like an address behind a NUL.
 */
function windowKey(request: FastifyRequest): string {
  const { principal } = admitted(request);
  return principal.method === 'anonymous' ? `\0${addressKey(request)}` : principal.subject;
}
