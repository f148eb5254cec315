import { test } from 'tap';
import { windowOf } from '../../src/store/budget-window.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';

test('memory serves a single replica and is always up', async (t) => {
  const store = createMemoryStore();
  t.match(store, { isShared: false, state: 'up', rates: null });
  await t.resolves(store.reached);
  await t.resolves(store.close());
  t.not(store.replica, createMemoryStore().replica);
});

test('its clock is the time of day, so that budget windows follow the calendar', async (t) => {
  const lines = [{ name: 'x', isOfSubject: false, window: 'day', limit: 0 } as const];
  const answer = await createMemoryStore().budgets.book('web', { id: 'one', lines, subject: 'ann', amount: 1 });
  const endsAtMs = Date.now() + (answer.outcome === 'exceeded' ? answer.endsInMs : 0);
  t.ok(Math.abs(endsAtMs - windowOf('day', endsAtMs - 60_000).endMs) < 250);
});
