// How a lease pool behaves over time, to the millisecond.
import { test } from 'tap';
import type { LeaseTimes } from '../../src/store/lease-rules.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { ask, pool } from './lease-ask.ts';

function setUp(times: Partial<LeaseTimes> = {}) {
  const clock = { now: 0 };
  const store = createMemoryStore({ now: () => clock.now, times: { ttlMs: 1_000, offerMs: 300, ...times } });
  const leases = store.leases('tts');
  const holders = async (limit: number): Promise<string[]> =>
    (await leases.view(pool(limit))).leases.map(({ id }) => id).sort();
  return { clock, store, leases, holders };
}

test('each unconfirmed lease expires at its own time', async (t) => {
  const { clock, leases, holders } = setUp();
  const [first, second] = [ask('a'), ask('b')];
  await leases.acquire(pool(2), first);
  clock.now = 400;
  await leases.acquire(pool(2), second);
  clock.now = 999;
  t.strictSame(await holders(2), [first.id, second.id]);
  clock.now = 1_000;
  t.strictSame(await holders(2), [second.id]);
  clock.now = 1_400;
  t.strictSame(await holders(2), []);
});

test('each waiting request leaves the queue at its own time', async (t) => {
  const { clock, leases } = setUp({ ttlMs: 60_000 });
  await leases.acquire(pool(1), ask('x'));
  for (const waitMs of [200, 600]) await leases.acquire(pool(1), ask('a', { waitMs }));
  const waiting = async (now: number): Promise<number> => {
    clock.now = now;
    return (await leases.view(pool(1))).waiting;
  };
  t.strictSame([await waiting(199), await waiting(200), await waiting(599), await waiting(600)], [2, 1, 1, 0]);
});

test('a lease granted past blocked requests has its full lifetime, and nobody is woken for it', async (t) => {
  const { clock, store, leases, holders } = setUp();
  store.listen({ onWake: (id) => t.fail(id) });
  const own = { clientMax: 1 };
  const [held, passing] = [ask('a', own), ask('b')];
  await leases.acquire(pool(2), held);
  await leases.acquire(pool(2), ask('a', own));
  await leases.acquire(pool(2), passing);
  clock.now = 999;
  t.strictSame(await holders(2), [held.id, passing.id]);
});

test('a waiter served because of another request is notified; the requester is not', async (t) => {
  const { clock, store, leases } = setUp();
  const woken: string[] = [];
  store.listen({ onWake: (id) => void woken.push(id) });
  const waiting = ask('b');
  for (const one of [ask('a'), waiting]) await leases.acquire(pool(1), one);
  clock.now = 1_000;
  const { outcome } = await leases.acquire(pool(1), ask('c'));
  await new Promise(setImmediate);
  t.strictSame([outcome, woken], ['queued', [waiting.id]]);
});

test('retryAfterMs follows the average hold time, in which the newest lease counts for a tenth', async (t) => {
  const { clock, leases } = setUp({ ttlMs: 60_000 });
  const held = ask('a');
  clock.now = 500;
  await leases.acquire(pool(1), held);
  clock.now = 3_505;
  t.equal(await leases.release(pool(1), [held.id]), 1_201, '1,000 before, and 3,005 now');
  t.equal(await leases.release(pool(2), []), 601, 'two places become free in that time');
});

test('a request that may not wait gets nothing that has just become free while others wait for it', async (t) => {
  const { clock, leases, holders } = setUp();
  const waiting = ask('b');
  for (const one of [ask('a'), waiting]) await leases.acquire(pool(1), one);
  clock.now = 1_000;
  t.match(await leases.acquire(pool(1), ask('c', { waitMs: 0 })), { outcome: 'refused', retryAfterMs: 1_000 });
  t.strictSame(await holders(1), [waiting.id]);
  t.equal((await leases.view(pool(1))).waiting, 0);
});

test('an expired lease goes to the next waiter as soon as anything is released', async (t) => {
  const { clock, leases, holders } = setUp();
  const waiting = ask('b');
  for (const one of [ask('a'), waiting]) await leases.acquire(pool(1), one);
  clock.now = 1_000;
  await leases.release(pool(1), ['of nobody']);
  t.strictSame(await holders(1), [waiting.id]);
});

test('lowering after an upstream refusal counts the leases held at that moment, and leaves at least one', async (t) => {
  const { clock, leases } = setUp();
  for (const who of ['a', 'b', 'c']) await leases.acquire(pool(6), ask(who));
  clock.now = 400;
  for (const who of ['d', 'e', 'f']) await leases.acquire(pool(6), ask(who));
  clock.now = 1_000;
  await leases.lower(pool(6));
  t.equal((await leases.view(pool(6))).loweredTo, 2);
  clock.now = 1_400;
  await leases.lower(pool(6));
  t.equal((await leases.view(pool(6))).loweredTo, 1);
});
