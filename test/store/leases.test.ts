import t, { type Test, test } from 'tap';
import type { LeaseAsk, PoolRules } from '../../src/store/lease-rules.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { LeasePool } from '../../src/store/store.ts';
import { ask, pool } from './lease-ask.ts';
import { everyStore } from './stores.ts';

const outcomeOf = async (leases: LeasePool, rules: PoolRules, one: LeaseAsk): Promise<string> =>
  (await leases.acquire(rules, one)).outcome;

/** Ids of the leases held. */
async function holders(leases: LeasePool, rules: PoolRules): Promise<string[]> {
  return (await leases.view(rules)).leases.map(({ id }) => id).sort();
}

for (const { name, make } of everyStore(t)) {
  const contract = (what: string, check: (t: Test, leases: LeasePool) => Promise<void>): void => {
    test(`${name}: ${what}`, async (t) => check(t, (await make(t)).store.leases('tts')));
  };

  contract('requests are granted up to the limit, then queued, then refused', async (t, leases) => {
    const rules = pool(2, { queueMax: 1 });
    t.equal(await outcomeOf(leases, rules, ask('a')), 'granted');
    t.equal(await outcomeOf(leases, rules, ask('b')), 'granted');
    t.equal(await outcomeOf(leases, rules, ask('c', { waitMs: 0 })), 'refused');
    t.equal(await outcomeOf(leases, rules, ask('d')), 'queued');
    t.equal(await outcomeOf(leases, rules, ask('e')), 'refused');
    const view = await leases.view(rules);
    t.equal(view.leases.length, 2);
    t.equal(view.waiting, 1);
  });

  contract('asking again with the same id changes nothing', async (t, leases) => {
    const rules = pool(1);
    const [first, second] = [ask('a'), ask('b')];
    t.equal(await outcomeOf(leases, rules, first), 'granted');
    t.equal(await outcomeOf(leases, rules, first), 'granted');
    t.equal((await leases.view(rules)).waiting, 0);
    t.equal(await outcomeOf(leases, rules, second), 'queued');
    t.equal(await outcomeOf(leases, rules, second), 'queued');
    t.equal((await leases.view(rules)).waiting, 1);
    await leases.release(rules, [first.id]);
    await leases.release(rules, [first.id]);
    t.equal(await outcomeOf(leases, rules, second), 'granted');
    t.strictSame(await holders(leases, rules), [second.id]);
  });

  contract('a released lease goes to the next waiter, and its replica learns of it', async (t, leases) => {
    const rules = pool(1);
    const [first, second, third] = [ask('a'), ask('b'), ask('c')];
    for (const one of [first, second, third]) await leases.acquire(rules, one);
    await leases.release(rules, [first.id]);
    t.strictSame(await leases.beat(rules, 'replica', [], [second.id, third.id, 'nobody']), {
      granted: [second.id],
      lost: ['nobody'],
    });
  });

  contract('a waiter that gives up leaves the queue', async (t, leases) => {
    const rules = pool(1);
    const [first, second, third] = [ask('a'), ask('b'), ask('c')];
    for (const one of [first, second, third]) await leases.acquire(rules, one);
    await leases.release(rules, [second.id]);
    await leases.release(rules, [first.id]);
    t.strictSame(await holders(leases, rules), [third.id]);
  });

  contract('nobody overtakes waiting requests', async (t, leases) => {
    const rules = pool(2);
    const [first, waiting] = [ask('a', { clientMax: 1 }), ask('a', { clientMax: 1 })];
    await leases.acquire(rules, first);
    t.equal(await outcomeOf(leases, rules, waiting), 'queued');
    t.equal(await outcomeOf(leases, rules, ask('b')), 'granted', 'unless those may not have the lease');
    await leases.release(rules, [first.id]);
    t.equal(await outcomeOf(leases, rules, ask('b')), 'queued');
    t.ok((await holders(leases, rules)).includes(waiting.id));
  });

  contract('neither a client app nor a subject exceeds its share', async (t, leases) => {
    const rules = pool(10);
    const shares = { clientMax: 3, subjectMax: 2, waitMs: 0 };
    const outcomes: string[] = [];
    for (const who of ['a/1', 'a/1', 'a/1', 'a/2', 'a/3', 'b/1'])
      outcomes.push(await outcomeOf(leases, rules, ask(who, shares)));
    t.strictSame(outcomes, ['granted', 'granted', 'refused', 'granted', 'refused', 'granted']);
  });

  contract('a reserve is kept free for its client app only', async (t, leases) => {
    const rules = pool(4, { reserved: new Map([['vip', 2]]) });
    const outcomes: string[] = [];
    for (const who of ['a', 'a', 'a', 'vip', 'vip', 'vip'])
      outcomes.push(await outcomeOf(leases, rules, ask(who, { waitMs: 0 })));
    t.strictSame(outcomes, ['granted', 'granted', 'refused', 'granted', 'granted', 'refused']);
  });

  contract('where less is free than is reserved, each client app still has its own reserve', async (t, leases) => {
    const rules = pool(3, { reserved: new Map(Object.entries({ a: 2, b: 2 })) });
    const outcomes: string[] = [];
    for (const who of ['a', 'a', 'b', 'b']) outcomes.push(await outcomeOf(leases, rules, ask(who, { waitMs: 0 })));
    t.strictSame(outcomes, ['granted', 'granted', 'granted', 'refused']);
  });

  contract('without a limit only the shares apply', async (t, leases) => {
    const rules = pool(null);
    t.equal(await outcomeOf(leases, rules, ask('a', { subjectMax: 1 })), 'granted');
    t.equal(await outcomeOf(leases, rules, ask('a', { subjectMax: 1, waitMs: 0 })), 'refused');
    t.equal(await outcomeOf(leases, rules, ask('b', { subjectMax: 1 })), 'granted');
    const again = await leases.acquire(rules, ask('a', { subjectMax: 1, waitMs: 0 }));
    t.strictSame(again, { outcome: 'refused', retryAfterMs: 500 }, 'two leases, held for a second each');
  });

  contract('turns rotate over client apps by weight, and within them over subjects', async (t, leases) => {
    const rules = pool(1);
    const first = ask('x');
    await leases.acquire(rules, first);
    const asked: LeaseAsk[] = [];
    for (const [who, count] of Object.entries({ 'a/greedy': 6, 'a/modest': 2, 'b/other': 3 }))
      for (let i = 0; i < count; i += 1) asked.push(ask(who, { weight: who.startsWith('a') ? 2 : 1 }));
    for (const one of asked) await leases.acquire(rules, one);
    const order: string[] = [];
    let holding = first.id;
    for (let i = 0; i < asked.length; i += 1) {
      await leases.release(rules, [holding]);
      [holding = ''] = await holders(leases, rules);
      order.push(asked.find(({ id }) => id === holding)?.subject ?? 'nobody');
    }
    t.strictSame(order, [
      ...['greedy', 'other', 'modest', 'greedy', 'other', 'modest'],
      ...['greedy', 'other', 'greedy', 'greedy', 'greedy'],
    ]);
  });

  contract('requests are served in order, and a latecomer gets no credit for the time before', async (t, leases) => {
    const rules = pool(1);
    for (const [early, late] of [
      ['c/early', 'c/late'],
      ['d', 'e'],
    ] as const) {
      const first = ask('x');
      await leases.acquire(rules, first);
      const waiting = Array.from({ length: 5 }, () => ask(early));
      for (const one of waiting) await leases.acquire(rules, one);
      const order: string[] = [];
      let holding = first.id;
      const serve = async (): Promise<void> => {
        await leases.release(rules, [holding]);
        [holding = ''] = await holders(leases, rules);
        order.push(holding);
      };
      for (let i = 0; i < 3; i += 1) await serve();
      const newcomers = [ask(late), ask(late), ask(late)];
      for (const one of newcomers) await leases.acquire(rules, one);
      for (let i = 0; i < 5; i += 1) await serve();
      const [a, b, c, d, e] = waiting.map(({ id }) => id);
      const [p, q, r] = newcomers.map(({ id }) => id);
      t.strictSame(order, [a, b, c, p, d, q, e, r], `${early} and ${late}`);
      await leases.release(rules, [holding]);
    }
  });

  contract('among subjects with equal turns, the one with fewer leases is next', async (t, leases) => {
    const rules = pool(4);
    const held = ['c/much', 'c/much', 'c/little', 'x'].map((who) => ask(who));
    for (const one of held) await leases.acquire(rules, one);
    const [much, little] = [ask('c/much'), ask('c/little')];
    for (const one of [much, little]) await leases.acquire(rules, one);
    await leases.release(rules, [held.at(-1)?.id ?? '']);
    t.ok((await holders(leases, rules)).includes(little.id), 'although it asked later');
  });

  contract('one subject cannot fill the queue', async (t, leases) => {
    const rules = pool(1, { queueMax: 10 });
    await leases.acquire(rules, ask('x'));
    const greedy: string[] = [];
    for (let i = 0; i < 20; i += 1) greedy.push(await outcomeOf(leases, rules, ask('a/greedy')));
    t.equal(greedy.filter((outcome) => outcome === 'queued').length, 5);
    t.equal(await outcomeOf(leases, rules, ask('a/modest')), 'queued');
  });

  contract('one client app cannot fill a queue that it shares', async (t, leases) => {
    const queueOf = async (isShared: boolean, users: readonly string[]): Promise<number> => {
      const rules = pool(0, { queueMax: 10, isShared });
      const waiting = users.map((who) => ask(who));
      const outcomes: string[] = [];
      for (const one of waiting) outcomes.push(await outcomeOf(leases, rules, one));
      const ids = waiting.map(({ id }) => id);
      await leases.release(rules, ids);
      return outcomes.filter((outcome) => outcome === 'queued').length;
    };
    const users = (client: string) => Array.from({ length: 20 }, (_, i) => `${client}/${i}`);
    t.equal(await queueOf(false, users('a')), 10, 'alone it has the whole queue');
    t.equal(await queueOf(true, users('a')), 8, 'four times the places left over');
    t.equal(await queueOf(true, [...users('a'), 'b/1', 'b/2']), 10);
    t.equal(await queueOf(true, [...users('a'), ...users('b'), 'c/1']), 10, 'and the last place is for the third');
  });

  contract('a full queue does not block a request that those in it could not use', async (t, leases) => {
    const rules = pool(6, { queueMax: 2, reserved: new Map([['kept', 1]]) });
    const shares = { clientMax: 2 };
    const held = [ask('a', shares), ask('a', shares)];
    for (const one of held) await leases.acquire(rules, one);
    const waiting = [ask('a/1', shares), ask('a/2', shares)];
    for (const one of waiting) t.equal(await outcomeOf(leases, rules, one), 'queued');
    t.equal(await outcomeOf(leases, rules, ask('a/3', shares)), 'refused', 'full');
    for (const waitMs of [60_000, 0]) t.equal(await outcomeOf(leases, rules, ask('b', { waitMs })), 'granted');
    t.equal(await outcomeOf(leases, rules, ask('b', { subjectMax: 2 })), 'refused', 'has its whole share');
    t.equal(await outcomeOf(leases, rules, ask('c', { waitMs: 0 })), 'granted');
    t.equal(await outcomeOf(leases, rules, ask('c')), 'refused', 'the rest is reserved');
    t.equal(await outcomeOf(leases, rules, ask('kept')), 'granted');
    t.equal(await outcomeOf(leases, rules, ask('kept')), 'refused');
    const { leases: open, waiting: left } = await leases.view(rules);
    t.equal(open.length, 6);
    t.equal(left, 2, 'earlier waiters stay queued');
    await leases.release(rules, [held[0]?.id ?? '']);
    t.ok((await holders(leases, rules)).includes(waiting[0]?.id ?? ''));
  });

  contract('a refusal says when to ask again: the longer the queue, the later', async (t, leases) => {
    const rules = pool(1, { queueMax: 4 });
    await leases.acquire(rules, ask('x'));
    const waits: number[] = [];
    for (const who of ['a', 'b', 'c']) {
      const refused = await leases.acquire(rules, ask(who, { waitMs: 0 }));
      waits.push(refused.outcome === 'refused' ? refused.retryAfterMs : 0);
      await leases.acquire(rules, ask(who));
    }
    t.strictSame(waits, [1000, 2000, 3000]);
  });

  contract('an upstream refusal lowers the limit', async (t, leases) => {
    const rules = pool(4);
    for (const who of ['a', 'b', 'c']) await leases.acquire(rules, ask(who));
    await leases.lower(rules);
    t.equal((await leases.view(rules)).loweredTo, 2);
    t.equal(await outcomeOf(leases, rules, ask('d', { waitMs: 0 })), 'refused');
  });

  contract('a lease lost by the store is re-entered by its holder, regardless of the limit', async (t, leases) => {
    const rules = pool(1);
    await leases.acquire(rules, ask('a'));
    await leases.beat(rules, 'other', [{ id: 'kept', client: 'b', subject: 'b' }], []);
    const { leases: held } = await leases.view(rules);
    t.equal(held.length, 2);
    t.match(
      held.find(({ id }) => id === 'kept'),
      { client: 'b', subject: 'b', owner: 'other' },
    );
    t.equal(await outcomeOf(leases, pool(2), ask('c', { waitMs: 0 })), 'refused');
  });

  contract('different names never collide: their parts are kept apart', async (t, leases) => {
    const rules = pool(10);
    const shares = { subjectMax: 1, waitMs: 0 };
    const [ab, a] = [ask('', shares), ask('', shares)].map((one, at) => ({
      ...one,
      ...(at === 0 ? { client: 'a', subject: 'bc' } : { client: 'ab', subject: 'c' }),
    }));
    t.equal(ab && (await outcomeOf(leases, rules, ab)), 'granted');
    t.equal(a && (await outcomeOf(leases, rules, a)), 'granted');
    t.equal(await outcomeOf(leases, rules, ask('ä/"\\\n'.replace('/', '/ü'), shares)), 'granted');
  });

  test(`${name}: kinds have separate pools`, async (t) => {
    const { store } = await make(t);
    t.equal(await outcomeOf(store.leases('tts'), pool(1), ask('a')), 'granted');
    t.equal(await outcomeOf(store.leases('stt'), pool(1), ask('a', { waitMs: 0 })), 'granted');
    t.equal(await outcomeOf(store.leases('tts'), pool(1), ask('b', { waitMs: 0 })), 'refused', 'one pool per kind');
  });

  test(`${name}: an unconfirmed lease expires`, async (t) => {
    const { store, pass } = await make(t, { ttlMs: 1_000 });
    const leases = store.leases('tts');
    const rules = pool(2);
    const [kept, left] = [ask('a'), ask('b')];
    for (const one of [kept, left]) await leases.acquire(rules, one);
    await pass(600);
    await leases.beat(rules, 'replica', [kept], []);
    await pass(600);
    t.strictSame(await holders(leases, rules), [kept.id]);
    t.equal(await outcomeOf(leases, rules, ask('c', { waitMs: 0 })), 'granted');
    t.equal(await outcomeOf(leases, rules, ask('d', { waitMs: 0 })), 'refused');
  });

  test(`${name}: a lease granted to a waiter that does not take it up expires sooner`, async (t) => {
    const { store, pass } = await make(t, { ttlMs: 60_000, offerMs: 300 });
    const leases = store.leases('tts');
    const rules = pool(1);
    const [first, gone, third] = [ask('a'), ask('b'), ask('c')];
    for (const one of [first, gone, third]) await leases.acquire(rules, one);
    await leases.release(rules, [first.id]);
    await pass(400);
    t.strictSame((await leases.beat(rules, 'replica', [], [third.id])).granted, [third.id]);
    await pass(400);
    t.strictSame(await holders(leases, rules), [third.id], 'once taken up, it lasts');
  });

  test(`${name}: a lowered limit is restored after its time`, async (t) => {
    const { store, pass } = await make(t, { loweredMs: 300 });
    const leases = store.leases('tts');
    const rules = pool(4);
    for (const who of ['a', 'b']) await leases.acquire(rules, ask(who));
    await leases.lower(rules);
    t.equal(await outcomeOf(leases, rules, ask('c', { waitMs: 0 })), 'refused');
    await pass(400);
    t.equal((await leases.view(rules)).loweredTo, null);
    t.equal(await outcomeOf(leases, rules, ask('c', { waitMs: 0 })), 'granted');
  });

  test(`${name}: a request that waited its time leaves the queue`, async (t) => {
    const { store, pass } = await make(t);
    const leases = store.leases('tts');
    const rules = pool(1);
    const [first, late] = [ask('a'), ask('b', { waitMs: 200 })];
    for (const one of [first, late]) await leases.acquire(rules, one);
    await pass(300);
    t.strictSame(await leases.beat(rules, 'replica', [first], [late.id]), { granted: [], lost: [late.id] });
  });

  test(`${name}: the replica of a waiting request is notified of the grant`, async (t) => {
    const { store } = await make(t);
    const leases = store.leases('tts');
    const rules = pool(1);
    const woken = new Promise<string>((resolve) => store.listen({ onWake: resolve, onRenewed: () => {} }));
    const [first, second] = [ask('a'), ask('b', { owner: store.replica })];
    for (const one of [first, second]) await leases.acquire(rules, one);
    await leases.release(rules, [first.id]);
    t.equal(await woken, second.id);
  });
}

test('memory: a holder in the same process cannot be lost, so no lease or offer expires', async (t) => {
  let now = 0;
  const leases = createMemoryStore({ now: () => now }).leases('tts');
  const rules = pool(1);
  const [first, second] = [ask('a'), ask('b')];
  for (const one of [first, second]) await leases.acquire(rules, one);
  now += 59_000;
  t.strictSame(await holders(leases, rules), [first.id]);
  await leases.release(rules, [first.id]);
  now += 86_399_999.6; // a monotonic clock has fractions
  t.match((await leases.view(rules)).leases, [{ id: second.id, owner: 'replica', ageMs: 86_400_000 }]);
});
