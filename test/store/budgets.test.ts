import fc from 'fast-check';
import t, { type Test, test } from 'tap';
import { windowOf } from '../../src/store/budget-window.ts';
import type { BudgetAsk, BudgetLine } from '../../src/store/budgets.ts';
import { everyStore, type StoreUnderTest } from './stores.ts';

const line = (name: string, limit: number, window: BudgetLine['window'] = 'day'): BudgetLine => ({
  name,
  isOfSubject: false,
  window,
  limit,
});

let made = 0;
/** With an id of its own. */
function asking(lines: readonly BudgetLine[], amount: number, subject = 'ann'): BudgetAsk {
  made += 1;
  return { id: `booking ${made}`, lines, subject, amount };
}

const STORES = everyStore(t);

/** For what only Redis can do: lose a response. */
function inRedis(own: Test): Promise<StoreUnderTest> {
  const kind = STORES.find(({ name }) => name === 'Redis');
  if (kind === undefined) throw new TypeError('there is no Redis');
  return kind.make(own);
}

for (const { name, make } of STORES) {
  test(`${name}: a budget can be spent to its last unit and not beyond`, async (t) => {
    const { budgets } = (await make(t)).store;
    const lines = [line('characters', 10)];
    t.match(await budgets.book('web', asking(lines, 6)), { outcome: 'booked' });
    t.match(await budgets.book('web', asking(lines, 5)), { outcome: 'exceeded', line: 0 });
    t.match(await budgets.book('web', asking(lines, 4)), { outcome: 'booked' });
    t.match(await budgets.book('web', asking(lines, 0)), { outcome: 'exceeded', line: 0 });
    t.match(await budgets.book('ios', asking(lines, 10)), { outcome: 'booked' }, 'another client app has its own');
  });

  test(`${name}: all lines are booked or none, and the first one exceeded is named`, async (t) => {
    const { budgets } = (await make(t)).store;
    const [mine, all] = [line('subject', 5, 'hour'), line('client', 8, 'month')];
    await budgets.book('web', asking([all], 6));
    const answer = await budgets.book('web', asking([mine, all], 3));
    t.match(answer, { outcome: 'exceeded', line: 1 });
    t.match(
      await budgets.book('web', asking([mine], 5)),
      { outcome: 'booked' },
      'nothing was booked on the other line',
    );
  });

  test(`${name}: each subject has its own line, and no two names collide`, async (t) => {
    const { budgets } = (await make(t)).store;
    const own = { ...line('characters', 10), isOfSubject: true };
    const lines = [own, line('all', 25)];
    for (const subject of ['ann', '3:ann3:day'])
      t.match(await budgets.book('web', asking(lines, 10, subject)), { outcome: 'booked' }, subject);
    t.match(await budgets.book('web', asking(lines, 1, 'ann')), { outcome: 'exceeded', line: 0 });
    t.match(
      await budgets.book('web', asking(lines, 6, 'bob')),
      { outcome: 'exceeded', line: 1 },
      'the line for all subjects',
    );
    t.match(await budgets.book('web', asking([own], 10, 'bob')), { outcome: 'booked' });
    t.match(
      await budgets.book('web', asking([{ ...own, isOfSubject: false }], 10)),
      { outcome: 'booked' },
      'the line without a subject',
    );
  });

  test(`${name}: an exceeded budget says when its window ends`, async (t) => {
    const { budgets } = (await make(t)).store;
    for (const window of ['hour', 'day', 'month'] as const) {
      const before = windowOf(window, Date.now());
      const answer = await budgets.book('web', asking([line(window, 0, window)], 1));
      const after = windowOf(window, Date.now());
      const ends = answer.outcome === 'exceeded' ? answer.endsInMs : 0;
      t.ok(ends > 0 && ends <= before.endMs - before.startMs, window);
      if (name === 'Redis' && before.endMs === after.endMs) {
        t.ok(Math.abs(Date.now() + ends - before.endMs) < 5_000, `${window}: a calendar window`);
      }
    }
  });

  test(`${name}: a booking is settled once, up or down`, async (t) => {
    const { budgets } = (await make(t)).store;
    const lines = [line('characters', 10)];
    const booked = await budgets.book('web', asking(lines, 8));
    const counters = booked.outcome === 'booked' ? booked.counters : [];
    await budgets.settle('web', 'one', counters, -5);
    if (name === 'Redis') await budgets.settle('web', 'one', counters, -5);
    t.match(await budgets.book('web', asking(lines, 8)), { outcome: 'exceeded' });
    t.match(await budgets.book('web', asking(lines, 7)), { outcome: 'booked' });
    await budgets.settle('web', 'two', counters, 100);
    t.match(await budgets.book('web', asking(lines, 0)), { outcome: 'exceeded' });
    await budgets.settle('web', 'three', counters, -1_000);
    t.match(await budgets.book('web', asking(lines, 10)), { outcome: 'booked' }, 'never below zero');
    t.match(await budgets.book('web', asking(lines, 1)), { outcome: 'exceeded' });
  });

  test(`${name}: consumption is booked even beyond the budget`, async (t) => {
    const { budgets } = (await make(t)).store;
    const lines = [line('characters', 10), line('all', 100)];
    t.match(await budgets.consume('web', asking(lines, 10)), { outcome: 'booked' });
    t.match(await budgets.consume('web', asking(lines, 5)), { outcome: 'exceeded', line: 0 });
    const both = [line('first', 1), line('second', 1)];
    t.match(await budgets.consume('web', asking(both, 5)), { outcome: 'exceeded', line: 0 }, 'the first is named');
    t.match(await budgets.book('web', asking([line('all', 20)], 5)), { outcome: 'booked' });
    t.match(await budgets.book('web', asking([line('all', 20)], 1)), { outcome: 'exceeded' });
  });

  test(`${name}: concurrent bookings do not overspend`, async (t) => {
    const { budgets } = (await make(t)).store;
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => budgets.book('web', asking([line('x', 100)], 7))),
    );
    t.equal(answers.filter(({ outcome }) => outcome === 'booked').length, 14);
  });

  test(`${name}: a name can be used once`, async (t) => {
    const { singleUse } = (await make(t)).store;
    const until = Date.now() + 60_000;
    t.strictSame(await Promise.all([singleUse.use('a', 'one', until), singleUse.use('a', 'one', until)]), [
      true,
      false,
    ]);
    t.equal(await singleUse.use('b', 'one', until), true);
    await singleUse.giveBack('a', 'two');
    t.equal(await singleUse.use('a', 'two', until), false, 'only its user can give it back');
    await singleUse.giveBack('a', 'one');
    t.equal(await singleUse.use('a', 'two', until), true);
    await singleUse.giveBack('a', 'one');
    t.equal(await singleUse.use('a', 'three', until), false, 'and only its own use');
  });

  test(`${name}: a revocation is listed until removed, and every change is announced`, async (t) => {
    const { store } = await make(t);
    const { revocations } = store;
    let told = 0;
    store.listen({ onRevocations: () => (told += 1) });
    const versions = [await revocations.version()];
    const far = Date.now() + 3_600_000;
    await revocations.add({ scope: 'client', client: 'web' });
    await revocations.add({ scope: 'subject', client: 'web', subject: 'ann' });
    await revocations.add({ scope: 'token', token: 'jti', untilMs: far });
    await revocations.add({ scope: 'token', token: 'old', untilMs: 1 });
    await revocations.add({ scope: 'everything' });
    versions.push(await revocations.version());
    t.strictSame(
      [...(await revocations.list())].sort((a, b) => a.scope.localeCompare(b.scope)),
      [
        { scope: 'client', client: 'web' },
        { scope: 'everything' },
        { scope: 'subject', client: 'web', subject: 'ann' },
        { scope: 'token', token: 'jti', untilMs: far },
      ],
    );
    t.equal(await revocations.remove({ scope: 'everything' }), true);
    t.equal(await revocations.remove({ scope: 'everything' }), false);
    t.equal((await revocations.list()).length, 3);
    versions.push(await revocations.version());
    t.equal(new Set(versions).size, 3);
    t.ok(told > 0);
  });
}

test('Redis: booking again under the same id changes nothing and gives the same answer', async (t) => {
  const { budgets } = (await inRedis(t)).store;
  const lines = [line('characters', 10), line('all', 100, 'month')];
  for (const how of ['book', 'consume'] as const) {
    const ask = asking(lines, 5);
    const first = await budgets[how]('web', ask);
    t.match(first, { outcome: 'booked' });
    t.strictSame(await budgets[how]('web', ask), first, 'the same answer');
  }
  t.match(await budgets.book('web', asking(lines, 1)), { outcome: 'exceeded', line: 0 }, 'each was booked once');
  t.match(await budgets.book('web', asking([line('all', 11, 'month')], 1)), { outcome: 'booked' });
  t.match(await budgets.book('web', asking([line('all', 11, 'month')], 1)), { outcome: 'exceeded' });
});

test('Redis: a booking whose answer was lost can be withdrawn, even before it arrives', async (t) => {
  const { budgets } = (await inRedis(t)).store;
  const lines = [line('characters', 10), line('all', 10, 'hour')];
  const [made, late] = [asking(lines, 6), asking(lines, 10)];
  await budgets.book('web', made);
  await budgets.withdraw('web', made);
  await budgets.withdraw('web', made);
  await budgets.withdraw('web', late);
  await budgets.book('web', late);
  t.match(await budgets.book('web', asking(lines, 10)), { outcome: 'booked' }, 'nothing is left of either');
  t.match(await budgets.book('web', asking(lines, 1)), { outcome: 'exceeded' });
});

test('windows follow each other without gaps', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4_102_444_800_000 }),
        fc.constantFrom('hour' as const, 'day' as const, 'month' as const),
        (now, window) => {
          const { startMs, endMs } = windowOf(window, now);
          return startMs <= now && now < endMs && windowOf(window, endMs).startMs === endMs;
        },
      ),
    ),
  );
});
