import { test } from 'tap';
import { windowOf } from '../../src/store/budget-window.ts';

test('windows are calendar hours, days and months in UTC', async (t) => {
  const cases = [
    ['hour', '2026-11-22T09:30:00.001Z', '2026-11-22T09:00Z', '2026-11-22T10:00Z'],
    ['hour', '2026-11-22T10:00:00.000Z', '2026-11-22T10:00Z', '2026-11-22T11:00Z'],
    ['day', '2026-11-22T23:59:59.999Z', '2026-11-22T00:00Z', '2026-11-23T00:00Z'],
    ['month', '2026-11-22T09:30:00.000Z', '2026-11-01T00:00Z', '2026-12-01T00:00Z'],
    ['month', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00Z', '2027-01-01T00:00Z'],
    ['month', '2028-02-29T12:00:00.000Z', '2028-02-01T00:00Z', '2028-03-01T00:00Z'],
  ] as const;
  for (const [window, now, start, end] of cases)
    t.strictSame(windowOf(window, Date.parse(now)), { startMs: Date.parse(start), endMs: Date.parse(end) }, now);
});
