import fc from 'fast-check';
import t, { test } from 'tap';
import { windowOf } from '../../src/store/budget-window.ts';
import type { BudgetLine } from '../../src/store/budgets.ts';
import { everyStore } from './stores.ts';

const line = (name: string, limit: number, window: BudgetLine['window'] = 'day'): BudgetLine => ({
  name,
  window,
  limit,
});

for (const { name, make } of everyStore(t)) {
  test(`${name}: a budget is spent to its last unit and not beyond`, async (t) => {
    const { budgets } = (await make(t)).store;
    const lines = [line('characters', 10)];
    t.match(await budgets.book('web', lines, 6), { outcome: 'booked' });
    t.match(await budgets.book('web', lines, 5), { outcome: 'exceeded', line: 0 });
    t.match(await budgets.book('web', lines, 4), { outcome: 'booked' });
    t.match(await budgets.book('web', lines, 0), { outcome: 'exceeded', line: 0 });
    t.match(await budgets.book('ios', lines, 10), { outcome: 'booked' }, 'another client app has its own');
  });

  test(`${name}: all lines or none, and the first that does not cover it is named`, async (t) => {
    const { budgets } = (await make(t)).store;
    const [mine, all] = [line('subject', 5, 'hour'), line('client', 8, 'month')];
    await budgets.book('web', [all], 6);
    const answer = await budgets.book('web', [mine, all], 3);
    t.match(answer, { outcome: 'exceeded', line: 1 });
    t.match(await budgets.book('web', [mine], 5), { outcome: 'booked' }, 'nothing was booked on the other');
  });

  test(`${name}: a window says when it ends`, async (t) => {
    const { budgets } = (await make(t)).store;
    for (const window of ['hour', 'day', 'month'] as const) {
      const before = windowOf(window, Date.now());
      const answer = await budgets.book('web', [line(window, 0, window)], 1);
      const after = windowOf(window, Date.now());
      const ends = answer.outcome === 'exceeded' ? answer.endsInMs : 0;
      t.ok(ends > 0 && ends <= before.endMs - before.startMs, window);
      if (name === 'Redis' && before.endMs === after.endMs) {
        t.ok(Math.abs(Date.now() + ends - before.endMs) < 5_000, `${window} of the calendar`);
      }
    }
  });

  test(`${name}: a booking is settled once, up or down`, async (t) => {
    const { budgets } = (await make(t)).store;
    const lines = [line('characters', 10)];
    const booked = await budgets.book('web', lines, 8);
    const counters = booked.outcome === 'booked' ? booked.counters : [];
    await budgets.settle('web', 'one', counters, -5);
    if (name === 'Redis') await budgets.settle('web', 'one', counters, -5);
    t.match(await budgets.book('web', lines, 8), { outcome: 'exceeded' });
    t.match(await budgets.book('web', lines, 7), { outcome: 'booked' });
    await budgets.settle('web', 'two', counters, 100);
    t.match(await budgets.book('web', lines, 0), { outcome: 'exceeded' });
    await budgets.settle('web', 'three', counters, -1_000);
    t.match(await budgets.book('web', lines, 10), { outcome: 'booked' }, 'never less than nothing');
    t.match(await budgets.book('web', lines, 1), { outcome: 'exceeded' });
  });

  test(`${name}: many at once do not overspend`, async (t) => {
    const { budgets } = (await make(t)).store;
    const answers = await Promise.all(Array.from({ length: 50 }, () => budgets.book('web', [line('x', 100)], 7)));
    t.equal(answers.filter(({ outcome }) => outcome === 'booked').length, 14);
  });

  test(`${name}: a name is good once`, async (t) => {
    const { singleUse } = (await make(t)).store;
    const until = Date.now() + 60_000;
    t.strictSame(await Promise.all([singleUse.use('a', until), singleUse.use('a', until)]), [true, false]);
    t.equal(await singleUse.use('b', until), true);
  });

  test(`${name}: what is revoked is listed until it is restored, and all are told`, async (t) => {
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

test('windows follow each other without a gap', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4_102_444_800_000 }),
      fc.constantFrom('hour' as const, 'day' as const, 'month' as const),
      (now, window) => {
        const { startMs, endMs } = windowOf(window, now);
        return startMs <= now && now < endMs && windowOf(window, endMs).startMs === endMs;
      },
    ),
  );
  t.pass();
});
