import { type Test, test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import type { LimitEvent } from '../../src/limits/limit-event.ts';
import { createQuotas, type Quotas } from '../../src/limits/quotas.ts';
import type { BudgetStore } from '../../src/store/budgets.ts';
import type { MaybePromise } from '../../src/store/maybe-promise.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { Store, StoreEvents } from '../../src/store/store.ts';
import { Unanswered } from '../../src/store/unanswered.ts';
import { API_KEY, configOf, KEY_HASH } from '../config/loading.ts';

const CONFIG = `
upstream: { api_key: ${API_KEY} }
limits: { quota: { characters: 20/day, audio_seconds: 6/day } }
clients:
  web: { auth: { keys: ["${KEY_HASH}"] }, limits: { quota: { characters: { subject: 10/day, client: 15/day }, call_seconds: { client: 1/hour } } } }
  tv: { auth: { keys: ["${KEY_HASH.replace('9f', 'a0')}"] }, limits: { quota: { audio_seconds: { subject: 10/day } } } }
  ios: { auth: { keys: ["${KEY_HASH.replace('9f', 'a1')}"] } }
`;
const ANN = { client: 'web', subject: 'ann' };
const BOB = { client: 'web', subject: 'bob' };
const EVE = { client: 'tv', subject: 'eve' };
const TIM = { client: 'ios', subject: 'tim' };

async function quotasOf(
  t: Test,
  store: Store = createMemoryStore(),
): Promise<{ quotas: Quotas; events: LimitEvent[] }> {
  const config = await configOf({ BROKER_CONFIG: `${t.testdir({ 'broker.yaml': CONFIG })}/broker.yaml` });
  const events: LimitEvent[] = [];
  return { quotas: createQuotas({ config, store, onEvent: (event) => events.push(event) }), events };
}

test('usage without any budget is not limited', async (t) => {
  const { quotas } = await quotasOf(t);
  t.ok(quotas.isLimited('characters', 'web'));
  t.ok(quotas.isLimited('characters', 'ios'), 'by the budget of the account');
  t.ok(quotas.isLimited('call_seconds', 'web'));
  t.notOk(quotas.isLimited('call_seconds', 'ios'));
  t.notOk(quotas.isLimited('mints', 'web'));
  t.notOk(quotas.isLimited('characters', 'nobody'));
});

test('a subject, its client app and the account have budgets, and the event of a refusal says which is spent', async (t) => {
  const { quotas, events } = await quotasOf(t);
  const book = (taker: typeof ANN, amount: number) => quotas.book('characters', taker, amount);
  const booking = book(ANN, 8);
  if (booking instanceof Promise) throw new TypeError('a store in this process answers at once');
  booking.settle(3);
  book(ANN, 7);
  t.throws(() => book(ANN, 1), {
    code: 'quota_exceeded',
    message: /^The budget of characters is spent\. The next period begins at \d{4}-\d\d-\d\dT00:00Z\.$/,
    details: { retryAfterSeconds: Number },
  });
  t.throws(() => book(ANN, 0), { message: /is spent/ }, 'an amount of 0 asks whether anything is left');
  t.throws(() => book(BOB, 6), { message: /^The budget of characters has less left than the 6 that this needs\. / });
  book(BOB, 5);
  t.throws(() => book(TIM, 6), { code: 'quota_exceeded' });
  book(TIM, 5);
  const of = (client: string) => ({ unit: 'characters', client }) as const;
  t.strictSame(events, [
    { type: 'booked', ...of('web'), amount: 8 },
    { type: 'returned', ...of('web'), amount: 5 },
    { type: 'booked', ...of('web'), amount: 7 },
    { type: 'spent', ...of('web'), budget: 'subject' },
    { type: 'spent', ...of('web'), budget: 'subject' },
    { type: 'spent', ...of('web'), budget: 'client' },
    { type: 'booked', ...of('web'), amount: 5 },
    { type: 'spent', ...of('ios'), budget: 'account' },
    { type: 'booked', ...of('ios'), amount: 5 },
  ]);
});

test('a booking that the account refuses is returned to the client app', async (t) => {
  const { quotas } = await quotasOf(t);
  t.throws(() => quotas.book('audio_seconds', EVE, 8), { code: 'quota_exceeded', message: /seconds of audio/ });
  t.doesNotThrow(() => quotas.book('audio_seconds', EVE, 6));
});

test('thousandths count, and usage beyond a booking is booked', async (t) => {
  const { quotas, events } = await quotasOf(t);
  const first = await quotas.book('call_seconds', ANN, 0.5);
  first.settle(0.999);
  await quotas.book('call_seconds', ANN, 0.001);
  t.throws(() => quotas.book('call_seconds', ANN, 0.001), { message: /^The budget of seconds of calls is spent/ });
  t.strictSame(
    events.map((event) => ('amount' in event ? [event.type, event.amount] : [event.type])),
    [['booked', 0.5], ['booked', 0.499], ['booked', 0.001], ['spent']],
  );
});

test('past usage is booked even beyond the budget, and the end of the budget is reported', async (t) => {
  const { quotas, events } = await quotasOf(t);
  t.equal(await quotas.consume('characters', ANN, 10), null);
  t.match(await quotas.consume('characters', ANN, 7), { code: 'quota_exceeded', message: /is spent/ });
  t.throws(() => quotas.book('characters', BOB, 1), { code: 'quota_exceeded' }, 'both counted for the client app');
  await quotas.book('characters', TIM, 3);
  t.throws(() => quotas.book('characters', TIM, 1), { code: 'quota_exceeded' }, 'and for the account');
  t.match(events.slice(0, 3), [{ amount: 10 }, { type: 'booked', amount: 7 }, { type: 'spent', budget: 'subject' }]);
});

/** A remote store that the test can make unreachable. */
function remote() {
  const inner = createMemoryStore();
  const state: { away: 'no' | 'not sent' | 'not heard' } = { away: 'no' };
  const calls: string[] = [];
  const ids: string[] = [];
  const listeners: Partial<StoreEvents>[] = [];
  async function call<T>(name: string, shard: string, done: () => MaybePromise<T>): Promise<T> {
    calls.push(`${name} ${shard || 'account'}`);
    if (state.away === 'not sent') throw new Problem('store_unavailable');
    const answer = await done();
    if (state.away === 'not heard') throw new Problem('store_unavailable', undefined, { cause: new Unanswered() });
    return answer;
  }
  const { budgets: own } = inner;
  const budgets: BudgetStore = {
    book(shard, ask) {
      ids.push(ask.id);
      return call('book', shard, () => own.book(shard, ask));
    },
    consume(shard, ask) {
      ids.push(ask.id);
      return call('consume', shard, () => own.consume(shard, ask));
    },
    withdraw: (shard, ask) => call('withdraw', shard, () => own.withdraw(shard, ask)),
    settle: (shard, id, counters, by) => call(`settle ${by}`, shard, () => own.settle(shard, id, counters, by)),
  };
  const store: Store = { ...inner, budgets, listen: (events) => void listeners.push(events) };
  const renew = async (): Promise<void> => {
    state.away = 'no';
    calls.length = 0;
    for (const one of listeners) one.onRenewed?.();
    await new Promise(setImmediate);
  };
  return { store, state, calls, ids, renew };
}

test('a booking whose response was lost is withdrawn once the store is back; one that was not sent is not', async (t) => {
  const { store, state, calls, renew } = remote();
  const { quotas, events } = await quotasOf(t, store);
  const book = async (amount: number) => quotas.book('characters', ANN, amount);
  state.away = 'not sent';
  await t.rejects(book(1), { code: 'store_unavailable' });
  t.equal(quotas.owed, 0);
  state.away = 'not heard';
  await t.rejects(book(0), { code: 'store_unavailable' });
  t.equal(quotas.owed, 0, 'an amount of 0 has booked nothing');
  await t.rejects(book(1), { code: 'store_unavailable' });
  t.equal(quotas.owed, 2);
  await renew();
  t.strictSame([calls, quotas.owed, events], [['withdraw web', 'withdraw account'], 0, []]);
});

test('every booking has a unique id that names its replica', async (t) => {
  const { store, ids } = remote();
  const { quotas } = await quotasOf(t, store);
  await quotas.book('characters', ANN, 1);
  await quotas.book('characters', ANN, 1);
  await quotas.consume('characters', ANN, 1);
  t.equal(new Set(ids).size, 3, 'with equal ids the store would book only one of them');
  t.ok(ids.every((id) => id.startsWith(`${store.replica}/`)));
});

test('settlements and past usage reach a store that was away', async (t) => {
  const { store, state, calls, renew } = remote();
  const { quotas, events } = await quotasOf(t, store);
  const booking = await quotas.book('characters', ANN, 8);
  calls.length = 0;
  booking.settle(8);
  t.strictSame([calls, events.length], [[], 1], 'nothing to correct');
  state.away = 'not sent';
  booking.settle(2);
  t.equal(await quotas.consume('characters', ANN, 4), null, 'running work continues');
  await new Promise(setImmediate);
  t.equal(quotas.owed, 4);
  await renew();
  t.equal(quotas.owed, 0);
  t.strictSame(calls.toSorted(), ['consume account', 'consume web', 'settle -6000 account', 'settle -6000 web']);
  await t.rejects(Promise.resolve(quotas.book('characters', ANN, 5)), { code: 'quota_exceeded' }, '6 of 10 are used');
  await t.resolves(Promise.resolve(quotas.book('characters', ANN, 4)));
});

const HOUR_MS = 3_600_000;
const FILE = {
  upstream: { api_key: API_KEY },
  clients: { web: { auth: { keys: [KEY_HASH] }, limits: { quota: { characters: { subject: '10/hour' } } } } },
};

test("the start of the next budget is right even if the store's clock is minutes off", async (t) => {
  const config = await configOf({ BROKER_CONFIG: `${t.testdir({ 'broker.json': JSON.stringify(FILE) })}/broker.json` });
  const nextHourMs = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;
  for (const aheadMs of [-600_000, -1_000, 0, 1_000, 600_000]) {
    const store = createMemoryStore();
    const budgets = {
      ...store.budgets,
      book: async () => ({ outcome: 'exceeded', line: 0, endsInMs: nextHourMs - Date.now() - aheadMs }) as const,
    };
    const quotas = createQuotas({ config, store: { ...store, budgets }, onEvent: () => {} });
    await t.rejects(Promise.resolve(quotas.book('characters', { client: 'web', subject: 'ann' }, 11)), {
      code: 'quota_exceeded',
      message: new RegExp(` begins at ${new Date(nextHourMs).toISOString().slice(0, 16)}Z\\.$`),
    });
  }
});
