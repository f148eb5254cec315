// Every kind of store, for tests that apply to all of them.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { LeaseTimes } from '../../src/store/lease-rules.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import type { Store } from '../../src/store/store.ts';
import { type RedisServer, redisServer } from './redis-server.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Lets time pass on the store's clock. */
  pass(ms: number): Promise<void>;
}

export interface StoreKind {
  readonly name: string;
  /** Makes an empty store that is up. */
  readonly make: (t: Test, times?: Partial<LeaseTimes>) => Promise<StoreUnderTest>;
}

/** @param t the file's own test: all its stores share one redis-server, each with its own prefix */
export function everyStore(t: Test): readonly StoreKind[] {
  let server: Promise<RedisServer> | null = null;
  return [
    {
      name: 'memory',
      async make(_t, times) {
        let now = Date.UTC(2026, 10, 22, 9, 30);
        const store = createMemoryStore({
          now: () => now,
          epochNow: () => now,
          ...(times === undefined ? {} : { times }),
        });
        return {
          store,
          pass: async (ms) => {
            now += ms;
          },
        };
      },
    },
    {
      name: 'Redis',
      async make(own, times) {
        server ??= redisServer(t);
        const store = await createRedisStore({
          url: { current: (await server).url },
          prefix: randomUUID(),
          commandTimeoutMs: 2_000, // not a test of speed: the machine may be busy
          times: { warmMs: 0, ...times },
        });
        own.teardown(() => store.close());
        await store.reached;
        return { store, pass: (ms) => sleep(ms) }; // Redis's clock cannot be set
      },
    },
  ];
}
