// How often one subject of each client app may mint.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ClientConfig } from '../config/config.ts';
import { addressKey, limiter, type RateLimiter, sharedLimiter } from '../limits/rate-limits.ts';
import type { RateStore } from '../store/rates.ts';
import { storeKey } from '../store/store-key.ts';
import { admitted } from './admitted.ts';

/** Keyed by client app name; an app whose rate is `off` has no limiter. */
export function subjectLimiters(
  app: FastifyInstance,
  clients: readonly ClientConfig[],
  shared: RateStore | null,
): ReadonlyMap<string, RateLimiter> {
  const limiters = new Map<string, RateLimiter>();
  for (const { name, limits } of clients) {
    // One limiter per client app, so the subject alone is an unambiguous key.
    if (limits.mint === null) continue;
    const limit = { name: storeKey('mint', name), rate: limits.mint, keyOf: windowKey, shared };
    limiters.set(name, sharedLimiter(limiter(app, limits.mint, windowKey), limit));
  }
  return limiters;
}

/**
 * Anonymous callers all share one subject, so they are counted by address: otherwise one of them would starve the others.
 * Subjects are printable, so none equals an address prefixed with NUL.
 */
function windowKey(request: FastifyRequest): string {
  const { principal } = admitted(request);
  return principal.method === 'anonymous' ? `\0${addressKey(request)}` : principal.subject;
}
