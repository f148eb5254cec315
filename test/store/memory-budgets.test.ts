// What only a store with a settable clock can show: windows end, and entries of past windows are forgotten.
import { test } from 'tap';
import type { BudgetAsk, BudgetLine } from '../../src/store/budgets.ts';
import { createMemoryBudgets } from '../../src/store/memory-budgets.ts';

const HOUR_MS = 3_600_000;
const line = (window: BudgetLine['window']): BudgetLine => ({ name: window, isOfSubject: true, window, limit: 10 });
const asking = (window: BudgetLine['window'], amount: number, subject = 'ann'): BudgetAsk => ({
  id: 'any',
  lines: [line(window)],
  subject,
  amount,
});

function setUp() {
  const clock = { now: Date.UTC(2026, 10, 30, 22, 30) };
  return { clock, budgets: createMemoryBudgets(() => clock.now) };
}

test('a budget is whole again when its window ends, and not before', async (t) => {
  for (const [window, leftMs] of [
    ['hour', HOUR_MS / 2],
    ['day', 1.5 * HOUR_MS],
    ['month', 1.5 * HOUR_MS],
  ] as const) {
    const { clock, budgets } = setUp();
    t.match(budgets.book('web', asking(window, 10)), { outcome: 'booked' });
    t.strictSame(budgets.book('web', asking(window, 1)), { outcome: 'exceeded', line: 0, endsInMs: leftMs }, window);
    clock.now += leftMs - 1;
    t.match(budgets.book('web', asking(window, 1)), { outcome: 'exceeded', endsInMs: 1 });
    clock.now += 1;
    t.match(budgets.book('web', asking(window, 10)), { outcome: 'booked' });
    t.match(budgets.book('web', asking(window, 0)), { outcome: 'exceeded' });
  }
});

test('a booking is settled in its own window, even after the next one has begun', async (t) => {
  const { clock, budgets } = setUp();
  const booked = await budgets.book('web', asking('hour', 10));
  clock.now += HOUR_MS;
  await budgets.book('web', asking('hour', 4));
  await budgets.settle('web', 'one', booked.outcome === 'booked' ? booked.counters : [], -10);
  t.match(budgets.book('web', asking('hour', 6)), { outcome: 'booked' });
  t.match(budgets.book('web', asking('hour', 1)), { outcome: 'exceeded' });
});

test('a booking is not forgotten however many other subjects book', async (t) => {
  const { clock, budgets } = setUp();
  await budgets.book('web', asking('hour', 10));
  for (let i = 0; i < 20_000; i += 1) await budgets.book('web', asking('hour', 1, `passing-${i}`));
  t.match(budgets.book('web', asking('hour', 1)), { outcome: 'exceeded' });
  clock.now += HOUR_MS;
  for (let i = 0; i < 20_000; i += 1) await budgets.book('web', asking('hour', 1, `later-${i}`));
  t.match(budgets.book('web', asking('hour', 10)), { outcome: 'booked' });
});

test('a clock that leaps into the next window and back gives nobody a second budget', async (t) => {
  const { clock, budgets } = setUp();
  clock.now += HOUR_MS;
  const early = await budgets.book('web', asking('hour', 10));
  clock.now -= HOUR_MS;
  t.match(budgets.book('web', asking('hour', 1)), { outcome: 'exceeded', endsInMs: HOUR_MS / 2 });
  await budgets.settle('web', 'one', early.outcome === 'booked' ? early.counters : [], -4);
  t.match(budgets.book('web', asking('hour', 4)), { outcome: 'booked' });
  t.match(budgets.book('web', asking('hour', 1)), { outcome: 'exceeded' });
  clock.now += HOUR_MS;
  t.match(budgets.book('web', asking('hour', 10)), { outcome: 'booked' });
});
