import fastify, { type FastifyRequest } from 'fastify';
import { test } from 'tap';
import {
  limiter,
  type RateLimiter,
  type RateVerdict,
  registerRateLimits,
  sharedLimiter,
} from '../../src/limits/rate-limits.ts';
import type { RateStore } from '../../src/store/rates.ts';
import { storeKey } from '../../src/store/store-key.ts';

const rate = { max: 6, windowMs: 60_000 };
const request = { routeOptions: { config: {} } } as FastifyRequest; // nothing else of it is read here
const keyOf = (): string => 'ann';

function alone(used: number): RateLimiter {
  const verdict: RateVerdict = { exceeded: used > 6, limit: 6, remaining: Math.max(0, 6 - used), resetSeconds: 42 };
  return { check: async () => verdict };
}

test('without a shared store each replica counts alone', async (t) => {
  const own = alone(1);
  t.equal(sharedLimiter(own, { name: 'address', rate, keyOf, shared: null }), own);
});

test('the shared count decides', async (t) => {
  const asked: unknown[] = [];
  let count = 0;
  const shared: RateStore = {
    replicas: 3,
    async hit(name, windowMs) {
      asked.push([name, windowMs]);
      count += 1;
      return { count, resetMs: 1_001 };
    },
  };
  const limiter = sharedLimiter(alone(0), { name: 'address', rate, keyOf, shared });
  const verdicts: RateVerdict[] = [];
  for (let i = 0; i < 8; i += 1) verdicts.push(await limiter.check(request));
  t.strictSame(
    verdicts.map(({ exceeded, remaining }) => [exceeded, remaining]),
    [...[5, 4, 3, 2, 1, 0].map((left) => [false, left]), [true, 0], [true, 0]],
  );
  t.match(verdicts[0], { limit: 6, resetSeconds: 2 });
  t.strictSame(asked[0], [storeKey('address', 'ann'), 60_000]);
});

test('while the store is away each replica allows its share, and at least one request', async (t) => {
  const verdictOf = (used: number, replicas: number): Promise<RateVerdict> => {
    const shared: RateStore = { replicas, hit: () => Promise.reject(new Error('away')) };
    return sharedLimiter(alone(used), { name: 'address', rate, keyOf, shared }).check(request);
  };
  const cases = [
    [1, 1, { exceeded: false, limit: 6, remaining: 5 }],
    [6, 1, { exceeded: false, limit: 6, remaining: 0 }],
    [7, 1, { exceeded: true, limit: 6, remaining: 0 }],
    [2, 3, { exceeded: false, limit: 2, remaining: 0 }],
    [3, 3, { exceeded: true, limit: 2, remaining: 0 }],
    [1, 4, { exceeded: false, limit: 1, remaining: 0 }],
    [1, 9, { exceeded: false, limit: 1, remaining: 0 }],
    [2, 9, { exceeded: true, limit: 1, remaining: 0 }],
  ] as const;
  for (const [used, replicas, verdict] of cases)
    t.strictSame(
      await verdictOf(used, replicas),
      { ...verdict, resetSeconds: 42 },
      `${used} used, ${replicas} replicas`,
    );
});

test('a clock that is set back makes no window longer', async (t) => {
  const realNow = Date.now;
  let byMs = 0;
  Date.now = () => realNow() + byMs; // the windows' own clock
  t.teardown(() => {
    Date.now = realNow;
  });
  const app = fastify();
  t.teardown(() => app.close());
  await registerRateLimits(app);
  const one = limiter(app, { max: 1, windowMs: 60_000 }, keyOf);
  const isExceeded = async (): Promise<boolean> => (await one.check(request)).exceeded;
  t.strictSame([await isExceeded(), await isExceeded()], [false, true]);
  byMs -= 500;
  t.equal(await isExceeded(), true, 'too little to matter');
  byMs -= 3_600_000;
  t.strictSame([await isExceeded(), await isExceeded()], [false, true]);
  byMs += 3_600_000;
  t.strictSame([await isExceeded(), await isExceeded()], [false, true], 'an hour has passed');
});
