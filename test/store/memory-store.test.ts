import { test } from 'tap';
import { windowOf } from '../../src/store/budget-window.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';

const HOUR_MS = 3_600_000;

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

test('a suspended machine, whose other clock stands still meanwhile: windows still end when the day does', async (t) => {
  let epoch = Date.UTC(2026, 10, 30, 18);
  const { budgets } = createMemoryStore({ now: () => 0, epochNow: () => epoch });
  const lines = [{ name: 'x', isOfSubject: false, window: 'day', limit: 1 } as const];
  const book = () => budgets.book('web', { id: 'any', lines, subject: 'ann', amount: 1 });
  t.match(await book(), { outcome: 'booked' });
  t.match(await book(), { outcome: 'exceeded', endsInMs: 6 * HOUR_MS });
  epoch += 12 * HOUR_MS;
  t.match(await book(), { outcome: 'booked' });
  t.match(await book(), { outcome: 'exceeded', endsInMs: 18 * HOUR_MS });
});

test('a revoked token stays revoked for its whole lifetime, on either side of a clock that is set', async (t) => {
  for (const byMs of [-2 * HOUR_MS, -60_000, 60_000, 2 * HOUR_MS]) {
    const clock = { monotonic: 0, epoch: Date.UTC(2026, 10, 30) };
    const { revocations } = createMemoryStore({ now: () => clock.monotonic, epochNow: () => clock.epoch });
    clock.epoch += byMs;
    const one = { scope: 'token', token: 'a', untilMs: clock.epoch + HOUR_MS } as const;
    await revocations.add(one);
    t.strictSame(await revocations.list(), [one], `${byMs}`);
    clock.monotonic += HOUR_MS - 1;
    clock.epoch += HOUR_MS - 1;
    t.strictSame(await revocations.list(), [one], `${byMs}`);
    clock.monotonic += 1;
    clock.epoch += 1;
    t.strictSame(await revocations.list(), [], `${byMs}`);
  }
});

test('a clock that leaps ahead and is corrected brings no revoked token back to life', async (t) => {
  const clock = { monotonic: 0, epoch: Date.UTC(2026, 10, 30) };
  const { revocations } = createMemoryStore({ now: () => clock.monotonic, epochNow: () => clock.epoch });
  const one = { scope: 'token', token: 'a', untilMs: clock.epoch + HOUR_MS } as const;
  await revocations.add(one);
  clock.epoch += 5 * HOUR_MS;
  await revocations.list();
  clock.epoch -= 5 * HOUR_MS;
  t.strictSame(await revocations.list(), [one]);
  clock.epoch -= HOUR_MS; // and one that is set back does not either: the token now expires later
  clock.monotonic += HOUR_MS;
  t.strictSame(await revocations.list(), [one]);
});
