// Memory and Redis decide alike: the same requests in the same order get the same answers.
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'tap';
import type { LeaseHolder } from '../../src/store/lease-rules.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import type { LeasePool, Store } from '../../src/store/store.ts';
import { ask, pool } from './lease-ask.ts';
import { redisServer } from './redis-server.ts';

const question = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      client: fc.nat(2),
      subject: fc.nat(3),
      weight: fc.constantFrom(1, 2, 3, 16),
      canWait: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ end: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ beats: fc.boolean(), isLowered: fc.boolean() }) },
);

function holder(id: string): LeaseHolder {
  const [, client = '', subject = ''] = /^(\w+)\/(\w+)#/.exec(id) ?? [];
  return { id, client, subject };
}

test('memory and Redis give the same answers', async (t) => {
  const server = await redisServer(t);
  const times = { ttlMs: 600_000, offerMs: 600_000, loweredMs: 600_000, warmMs: 0 }; // time plays no part here
  await t.resolves(
    fc.assert(
      fc.asyncProperty(
        fc.array(question, { maxLength: 60 }),
        fc.record({
          limit: fc.option(fc.integer({ min: 1, max: 5 })),
          reserve: fc.nat(2),
          queueMax: fc.nat(10),
          isShared: fc.boolean(),
        }),
        async (questions, { limit, reserve, queueMax, isShared }) => {
          const stores: Store[] = [
            createMemoryStore({ times }),
            await createRedisStore({
              url: { current: server.url },
              prefix: randomUUID(),
              commandTimeoutMs: 5_000,
              times,
            }),
          ];
          try {
            await Promise.all(stores.map(({ reached }) => reached));
            const pools = stores.map((store) => store.leases('tts'));
            const rules = pool(limit, {
              reserved: new Map([['c0', Math.min(reserve, limit ?? 0)]]),
              queueMax,
              isShared,
            });
            const asked: string[] = [];
            const both = async <T>(put: (one: LeasePool) => Promise<T>): Promise<void> => {
              const [inMemory, inRedis] = await Promise.all(pools.map(put));
              const [a, b] = [JSON.stringify(inMemory), JSON.stringify(inRedis)];
              if (a !== b) throw new Error(`memory says ${a}, Redis ${b}`);
            };
            for (const one of questions) {
              if ('beats' in one) {
                if (one.isLowered) await Promise.all(pools.map((leases) => leases.lower(rules)));
                // A lease asked for earlier, whatever became of it: its holder says that it is still running.
                const held = one.beats && asked[0] !== undefined ? [holder(asked[0])] : [];
                await both(async (leases) => leases.beat(rules, 'replica', held, asked));
              } else if ('end' in one) {
                const id = asked[one.end % Math.max(1, asked.length)];
                if (id !== undefined) await Promise.all(pools.map((leases) => leases.release(rules, [id])));
              } else {
                const { client, subject, weight, canWait } = one;
                const shares = { clientMax: 3, subjectMax: 2, weight, waitMs: canWait ? 60_000 : 0 };
                const next = ask(`c${client}/s${subject}`, shares);
                asked.push(next.id);
                await both(async (leases) => (await leases.acquire(rules, next)).outcome);
              }
              await both(async (leases) => {
                const view = await leases.view(rules);
                return { ...view, leases: view.leases.map(({ id }) => id).sort() };
              });
            }
          } finally {
            await Promise.all(stores.map((store) => store.close()));
          }
        },
      ),
      { numRuns: 60 },
    ),
    '60 histories',
  );
});
