// A lease desk whose remote store loses responses and state.
import { type Test, test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { LeaseDesk } from '../../src/limits/lease-desk.ts';
import type { LeaseView } from '../../src/store/lease-rules.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { LeasePool } from '../../src/store/store.ts';
import { Unanswered } from '../../src/store/unanswered.ts';
import { ask, pool } from '../store/lease-ask.ts';

const SHARE = { clientMax: null, subjectMax: null, weight: 1, isLimited: false };
const ANN = { client: 'web', subject: 'ann' };
const TIM = { client: 'ios', subject: 'tim' };

type Fault = 'none' | 'not sent' | 'not heard';

function setUp(t: Test, { limit = 1, queueMax = 1000 } = {}) {
  const rules = pool(limit, { queueMax });
  const state: { fault: Fault; inner: LeasePool; way: Promise<void> | null; onRelease: () => void } = {
    fault: 'none',
    inner: createMemoryStore().leases('tts'),
    way: null, // delays acquire and release calls on their way to the store
    onRelease: () => {},
  };
  const looks: (readonly string[])[] = [];
  async function call<T>(done: (inner: LeasePool) => T | Promise<T>): Promise<T> {
    if (state.fault === 'not sent') throw new Problem('store_unavailable');
    const answer = await done(state.inner);
    if (state.fault === 'not heard') throw new Problem('store_unavailable', undefined, { cause: new Unanswered() });
    return answer;
  }
  const remote: LeasePool = {
    async acquire(...given) {
      if (state.way !== null) await state.way;
      return call((inner) => inner.acquire(...given));
    },
    async release(...given) {
      state.onRelease();
      if (state.way !== null) await state.way;
      return call((inner) => inner.release(...given));
    },
    async beat(rules, owner, held, waiting) {
      looks.push(waiting);
      await new Promise(setImmediate); // calls made meanwhile arrive first
      return call((inner) => inner.beat(rules, owner, held, waiting));
    },
    lower: (...given) => call((inner) => inner.lower(...given)),
    view: (...given) => call((inner) => inner.view(...given)),
  };
  const outcomes: string[] = [];
  const desk = new LeaseDesk({
    kind: 'tts',
    pool: remote,
    rules,
    replica: 'here',
    onEvent: (event) => outcomes.push(event.type === 'lease' ? event.outcome : event.type),
  });
  t.teardown(() => desk.close());
  return {
    desk,
    rules,
    state,
    outcomes,
    /** The waits that the store was asked about, beat by beat. */
    looks,
    /** The store's actual leases, even while its responses are lost. */
    held: async (): Promise<readonly LeaseView[]> => (await state.inner.view(rules)).leases,
    /** Makes the store lose everything. */
    beginAnew() {
      state.inner = createMemoryStore().leases('tts');
    },
  };
}

test('a lease released while the store is away is released once it is back', async (t) => {
  for (const fault of ['not sent', 'not heard'] as const) {
    const { desk, state, held } = setUp(t);
    const lease = await desk.ask(ANN, SHARE, 0).granted;
    state.fault = fault;
    lease?.release();
    await new Promise(setImmediate);
    t.equal((await held()).length, fault === 'not sent' ? 1 : 0);
    await desk.beat();
    state.fault = 'none';
    await desk.beat();
    t.strictSame(await held(), []);
    t.equal(desk.open, 0);
  }
});

test('a lease whose grant was lost is released, and its requester gets an error', async (t) => {
  const { desk, state, held, outcomes } = setUp(t);
  state.fault = 'not heard';
  await t.rejects(Promise.resolve(desk.ask(ANN, SHARE, 0).granted), { code: 'store_unavailable' });
  t.equal((await held()).length, 1);
  state.fault = 'none';
  await desk.beat();
  t.strictSame([await held(), outcomes], [[], ['store_unavailable']]);
});

test('a store that lost its state is told of all leases and waits', async (t) => {
  const { desk, held, outcomes, beginAnew } = setUp(t);
  const lease = await desk.ask(ANN, SHARE, 0).granted;
  const waiting = desk.ask(TIM, SHARE, 60_000);
  await new Promise(setImmediate);
  beginAnew();
  await desk.beat();
  await new Promise(setImmediate);
  t.match(await held(), [{ ...ANN, owner: 'here' }]);
  lease?.release();
  t.ok(await waiting.granted);
  t.match(await held(), [{ ...TIM, owner: 'here' }]);
  t.equal(desk.open, 1);
  t.strictSame(outcomes, ['granted', 'waited']);
});

/**
 * Tim waits for Ann's lease, which she releases. The store has forgotten both, so the desk asks again for Tim.
 * @returns his request, and `arrive`, which lets the renewed question reach the store
 */
async function askedForAnew({ desk, state, beginAnew }: ReturnType<typeof setUp>) {
  const lease = await desk.ask(ANN, SHARE, 0).granted;
  const waiting = desk.ask(TIM, SHARE, 60_000);
  await new Promise(setImmediate);
  lease?.release();
  beginAnew();
  const { promise, resolve: arrive } = Promise.withResolvers<void>();
  state.way = promise;
  await desk.beat();
  return { waiting, arrive };
}

test('a store that restarts with room grants the wait, even if the grant is lost', async (t) => {
  for (const fault of ['none', 'not heard'] as const) {
    const stage = setUp(t);
    const { desk, state, held, outcomes } = stage;
    const { waiting, arrive } = await askedForAnew(stage);
    state.fault = fault;
    arrive();
    await new Promise(setImmediate);
    state.fault = 'none';
    await desk.beat();
    t.ok(await waiting.granted);
    t.match(await held(), [TIM], 'it is not released');
    t.strictSame([desk.open, outcomes], [1, ['granted', 'waited']]);
  }
});

test('a waiter that leaves during the renewed question, or after its answer was lost, holds nothing', async (t) => {
  for (const isHeard of [true, false]) {
    const stage = setUp(t);
    const { desk, state, held } = stage;
    const { waiting, arrive } = await askedForAnew(stage);
    if (isHeard) waiting.cancel();
    else state.fault = 'not heard';
    arrive();
    await new Promise(setImmediate);
    state.fault = 'none';
    t.equal((await held()).length, isHeard ? 0 : 1);
    waiting.cancel();
    t.equal(await waiting.granted, null);
    t.strictSame([desk.open, await held()], [0, []]);
  }
});

test("a waiter that finds no place in a restarted store's queue is refused", async (t) => {
  const { desk, state, rules, beginAnew } = setUp(t, { queueMax: 1 });
  t.ok(await desk.ask(ANN, SHARE, 0).granted);
  const waiting = desk.ask(TIM, SHARE, 60_000);
  await new Promise(setImmediate);
  beginAnew();
  for (const who of ['tv', 'car']) await state.inner.acquire(rules, ask(who));
  const refused = t.rejects(Promise.resolve(waiting.granted), { code: 'concurrency_limited' });
  await desk.beat();
  await refused;
  t.equal(desk.open, 1);
});

test('waits woken in the same turn share one question, and waits of other replicas are not asked about', async (t) => {
  const { desk, looks } = setUp(t);
  t.ok(await desk.ask(ANN, SHARE, 0).granted);
  for (const subject of ['tim', 'tom']) desk.ask({ ...TIM, subject }, SHARE, 60_000);
  await new Promise(setImmediate);
  await Promise.all(['here/2', 'there/2', 'here/3'].map((id) => desk.wake(id)));
  t.strictSame(looks, [['here/2', 'here/3']]);
  await desk.wake('here/3');
  t.strictSame(looks, [['here/2', 'here/3'], ['here/3']]);
});

test('a request whose wait ends is told when to retry, and holds no place', async (t) => {
  const { desk, state, held, outcomes } = setUp(t);
  t.ok(await desk.ask(ANN, SHARE, 0).granted);
  for (const fault of ['none', 'not sent'] as const) {
    const { granted } = desk.ask(TIM, SHARE, 20);
    await new Promise(setImmediate);
    state.fault = fault;
    const refusal = await Promise.resolve(granted).catch((error: unknown) => error);
    t.match(refusal, { code: 'concurrency_limited', details: { retryAfterSeconds: Number } });
    const { retryAfterSeconds } = (refusal as Problem).details;
    t.ok(Number.isFinite(retryAfterSeconds), `after ${retryAfterSeconds} s`);
  }
  t.strictSame([outcomes, desk.open, (await held()).length], [['granted', 'wait_over', 'wait_over'], 1, 1]);
});

test('a request that waited too long is refused, even if its turn comes while it is being withdrawn', async (t) => {
  const { desk, state, rules } = setUp(t);
  t.ok(await desk.ask(ANN, SHARE, 0).granted);
  const refused = t.rejects(Promise.resolve(desk.ask(TIM, SHARE, 20).granted), { code: 'concurrency_limited' });
  await new Promise(setImmediate);
  await state.inner.release(rules, ['here/1']); // and nobody hears of it
  const [told, arrived] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  state.onRelease = told.resolve;
  state.way = arrived.promise;
  await told.promise;
  await desk.beat();
  arrived.resolve();
  await refused;
  t.equal(desk.open, 1, 'the first lease stays');
});

test('an upstream refusal that does not reach the store does no harm', async (t) => {
  const { desk, state, outcomes } = setUp(t);
  const lease = await desk.ask(ANN, SHARE, 0).granted;
  state.fault = 'not sent';
  lease?.refusedUpstream();
  await new Promise(setImmediate);
  t.strictSame([outcomes, desk.open], [['granted', 'refused_upstream'], 1]);
});

test('a requester that left while its grant was in progress holds nothing', async (t) => {
  const { desk, held, outcomes } = setUp(t);
  const request = desk.ask(ANN, SHARE, 0);
  request.cancel();
  t.equal(await request.granted, null);
  await new Promise(setImmediate);
  t.strictSame([await held(), desk.open, outcomes], [[], 0, ['left']]);
});

test('a lease released during its confirmation is not re-entered', async (t) => {
  const { desk, held, beginAnew } = setUp(t);
  const lease = await desk.ask(ANN, SHARE, 0).granted;
  beginAnew();
  const beating = desk.beat();
  lease?.release();
  await beating;
  await new Promise(setImmediate);
  t.strictSame(await held(), []);
});

test('a closed desk releases all its leases and confirms none', async (t) => {
  const { desk, held } = setUp(t, { limit: 2 });
  for (const who of [ANN, TIM]) t.ok(await desk.ask(who, SHARE, 0).granted);
  await desk.close();
  t.strictSame([await held(), desk.open], [[], 0]);
});
