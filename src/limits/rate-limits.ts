// How often one address and one subject may ask: @fastify/rate-limit's counters, asked by the admission pipeline.
import rateLimit, { normalizeIP, type RateLimitOptions } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Rate } from '../config/config.ts';
import { withoutPort } from '../listener/trusted-proxies.ts';
import type { RateStore } from '../store/rates.ts';
import { storeKey } from '../store/store-key.ts';

/** What a limiter says of one request. */
export interface RateVerdict {
  readonly exceeded: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Until the next window starts. */
  readonly resetSeconds: number;
}

export interface RateLimiter {
  check(request: FastifyRequest): Promise<RateVerdict>;
}

/** Most windows kept at a time; the least recently used is dropped first. About 150 bytes each. */
const WINDOWS_MAX = 50_000;

/** A clock that is set back by more ends all windows: they would last longer by the difference, and refuse whoever has used them up. */
const SET_BACK_MS = 1_000;

/** To be awaited once, before the first limiter is made. */
export async function registerRateLimits(app: FastifyInstance): Promise<void> {
  await app.register(rateLimit, { global: false });
}

/** Limits by client address, or the address that a trusted proxy names. IPv6 counts by /64, which is what one customer gets. */
export function addressLimiter(app: FastifyInstance, rate: Rate, shared: RateStore | null): RateLimiter {
  return sharedLimiter(limiter(app, rate, addressKey), { name: 'address', rate, keyOf: addressKey, shared });
}

/** The /64 of an IPv6 address, a whole IPv4 address. */
export function addressKey(request: Pick<FastifyRequest, 'ip'>): string {
  return normalizeIP(withoutPort(request.ip), 64);
}

/**
 * @param keyOf the whole key of a window, already unambiguous
 */
export function limiter(app: FastifyInstance, rate: Rate, keyOf: (request: FastifyRequest) => string): RateLimiter {
  // `cache` has to be set here: a separate limiter does not inherit the plugin's.
  const options: RateLimitOptions = {
    max: rate.max,
    timeWindow: rate.windowMs,
    cache: WINDOWS_MAX,
    keyGenerator: keyOf,
  };
  let check = app.createRateLimit(options);
  let lastMs = Date.now();
  return {
    async check(request) {
      const nowMs = Date.now(); // the clock that the windows are counted by
      if (nowMs < lastMs - SET_BACK_MS) check = app.createRateLimit(options);
      lastMs = nowMs;
      const verdict = await check(request);
      // `isAllowed` there means "on the allow-list", which we have none of.
      if (verdict.isAllowed) return { exceeded: false, limit: rate.max, remaining: rate.max, resetSeconds: 0 };
      return {
        exceeded: verdict.isExceeded,
        limit: verdict.max,
        remaining: verdict.remaining,
        resetSeconds: verdict.ttlInSeconds,
      };
    },
  };
}

export interface SharedLimit {
  /** Tells the limiter from the others. */
  readonly name: string;
  readonly rate: Rate;
  readonly keyOf: (request: FastifyRequest) => string;
  /** Where replicas count together; `null` = this one counts alone. */
  readonly shared: RateStore | null;
}

/**
 * Counts together with the other replicas. While the store is away, each counts by itself and allows its share of the limit: a rate
 * protects the broker, so nobody is refused merely because it cannot be counted exactly.
 */
export function sharedLimiter(alone: RateLimiter, { name, rate, keyOf, shared }: SharedLimit): RateLimiter {
  if (shared === null) return alone;
  return {
    async check(request) {
      try {
        const { count, resetMs } = await shared.hit(storeKey(name, keyOf(request)), rate.windowMs);
        return {
          exceeded: count > rate.max,
          limit: rate.max,
          remaining: Math.max(0, rate.max - count),
          resetSeconds: Math.ceil(resetMs / 1000),
        };
      } catch {
        const own = await alone.check(request);
        const share = Math.max(1, Math.floor(rate.max / shared.replicas));
        const used = rate.max - own.remaining;
        return { ...own, limit: share, remaining: Math.max(0, share - used), exceeded: own.exceeded || used > share };
      }
    },
  };
}
