import { test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { Unbooked } from '../../src/limits/unbooked.ts';
import type { BudgetAsk, BudgetStore } from '../../src/store/budgets.ts';
import { createDebts } from '../../src/store/debts.ts';
import { Unanswered } from '../../src/store/unanswered.ts';

const NOT_SENT = new Problem('store_unavailable');
const NOT_HEARD = new Problem('store_unavailable', undefined, { cause: new Unanswered() });
const LINE = { name: 'audio_seconds/subject/day', isOfSubject: true, window: 'day', limit: 10 } as const;

let made = 0;
function ask(subject: string, amount: number, name: string = LINE.name): BudgetAsk {
  made += 1;
  return { id: `replica/${made}`, subject, amount, lines: [{ ...LINE, name }] };
}

function setUp() {
  const state: { failure: Problem | null; answered: Promise<void> } = {
    failure: NOT_SENT,
    answered: Promise.resolve(),
  };
  const sent: [id: string, shard: string, subject: string, amount: number][] = [];
  const budgets: Pick<BudgetStore, 'consume'> = {
    async consume(shard, { id, subject, amount }) {
      if (state.failure !== NOT_SENT) sent.push([id, shard, subject, amount]);
      await state.answered;
      if (state.failure !== null) throw state.failure;
      return { outcome: 'booked', counters: [] };
    },
  };
  const debts = createDebts({ againMs: null });
  const pay = async (): Promise<void> => {
    debts.pay();
    await new Promise(setImmediate);
  };
  return { state, sent, debts, pay, unbooked: new Unbooked(budgets, debts) };
}

test('what a subject consumes while the store is away is one call, however long that is', async (t) => {
  const { state, sent, debts, pay, unbooked } = setUp();
  for (let i = 0; i < 1_000; i += 1) {
    unbooked.add('web', ask('ann', 2), NOT_SENT);
    unbooked.add('web', ask('bob', 3), NOT_SENT);
    unbooked.add('', ask('ann', 2), NOT_SENT);
    unbooked.add('web', ask('ann', 1, 'characters/subject/day'), NOT_SENT);
    if (i % 100 === 0) await pay();
  }
  t.equal(debts.open, 4);
  state.failure = null;
  await pay();
  t.equal(debts.open, 0);
  t.strictSame(
    sent.map(([, ...rest]) => rest),
    [
      ['web', 'ann', 2_000],
      ['web', 'bob', 3_000],
      ['', 'ann', 2_000],
      ['web', 'ann', 1_000],
    ],
  );
});

test('a call whose answer was lost is repeated as it was, and what comes later is another call', async (t) => {
  const { state, sent, debts, pay, unbooked } = setUp();
  const first = ask('ann', 5);
  unbooked.add('web', first, NOT_HEARD);
  unbooked.add('web', ask('ann', 1), NOT_SENT);
  unbooked.add('web', ask('ann', 1), NOT_SENT);
  t.equal(debts.open, 2);
  state.failure = NOT_HEARD;
  await pay(); // the second one may have been done, too
  unbooked.add('web', ask('ann', 7), NOT_SENT);
  t.equal(debts.open, 3);
  state.failure = null;
  await pay();
  t.equal(debts.open, 0);
  const amounts = new Map(sent.map(([id, , , amount]) => [id, amount]));
  t.strictSame([...amounts.values()], [5, 2, 7]);
  t.equal(amounts.get(first.id), 5);
  t.ok(
    sent.every(([id, , , amount]) => amounts.get(id) === amount),
    'the store knows a call by its id',
  );
});

test('a call whose answer was lost keeps its amount while its repetition is not sent, and others are still added up', async (t) => {
  const { state, sent, debts, pay, unbooked } = setUp();
  const [lost, unsent, lostToo] = [ask('ann', 5), ask('ann', 1), ask('ann', 7)];
  unbooked.add('web', lost, NOT_HEARD);
  unbooked.add('web', unsent, NOT_SENT);
  unbooked.add('web', lostToo, NOT_HEARD);
  for (let i = 0; i < 10; i += 1) {
    await pay();
    unbooked.add('web', ask('ann', 2), NOT_SENT);
  }
  t.equal(debts.open, 3);
  state.failure = null;
  await pay();
  t.strictSame(sent, [
    [lost.id, 'web', 'ann', 5],
    [unsent.id, 'web', 'ann', 21],
    [lostToo.id, 'web', 'ann', 7],
  ]);
});

test('what is consumed while a call waits for its answer is not lost', async (t) => {
  const { state, sent, debts, pay, unbooked } = setUp();
  const answer = Promise.withResolvers<void>();
  unbooked.add('web', ask('ann', 5), NOT_SENT);
  Object.assign(state, { failure: null, answered: answer.promise });
  await pay();
  unbooked.add('web', ask('ann', 2), NOT_SENT);
  unbooked.add('web', ask('ann', 2), NOT_SENT);
  answer.resolve();
  await new Promise(setImmediate);
  t.equal(debts.open, 0);
  t.strictSame(
    sent.map(([, , , amount]) => amount),
    [5, 4],
  );
});
