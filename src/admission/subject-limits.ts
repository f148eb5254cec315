// How often one subject of each client app may mint.
import type { FastifyInstance } from 'fastify';
import type { ClientConfig } from '../config/config.ts';
import { limiter, type RateLimiter } from '../limits/rate-limits.ts';
import { admitted } from './admitted.ts';

/** By client app name; an app whose rate is `off` has none. */
export function subjectLimiters(
  app: FastifyInstance,
  clients: readonly ClientConfig[],
): ReadonlyMap<string, RateLimiter> {
  const limiters = new Map<string, RateLimiter>();
  for (const { name, limits } of clients) {
    // One limiter a client app, so the subject alone is an unambiguous key.
    if (limits.mint !== null)
      limiters.set(
        name,
        limiter(app, limits.mint, (request) => admitted(request).principal.subject),
      );
  }
  return limiters;
}
