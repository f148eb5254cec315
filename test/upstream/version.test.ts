import { test } from 'tap';
import { isCalendarDate } from '../../src/config/calendar-date.ts';
import { resolveVersion } from '../../src/upstream/version.ts';

const VERSION = '2026-03-01';

test('fill: the caller’s version passes; ours is used if it names none', async (t) => {
  t.strictSame(resolveVersion(undefined, { version: VERSION, policy: 'fill' }), { version: VERSION });
  t.strictSame(resolveVersion('2025-04-16', { version: VERSION, policy: 'fill' }), { version: '2025-04-16' });
  t.strictSame(resolveVersion('2031-12-31', { version: VERSION, policy: 'fill' }), { version: '2031-12-31' });
});

test('pin: always ours', async (t) => {
  t.strictSame(resolveVersion(undefined, { version: VERSION, policy: 'pin' }), { version: VERSION });
  t.strictSame(resolveVersion('2025-04-16', { version: VERSION, policy: 'pin' }), { version: VERSION });
});

test('a version that is not a calendar date is invalid under both policies', async (t) => {
  const malformed = [
    '',
    ' ',
    'latest',
    '2026',
    '2026-3-1',
    '26-03-01',
    '20260301',
    '2026/03/01',
    '0000-01-01',
    '2026-00-10',
    '2026-13-01',
    '2026-01-00',
    '2026-01-32',
    '2026-02-30',
    '2026-04-31',
    '2026-02-29',
    '1900-02-29',
    ' 2026-03-01',
    '2026-03-01 ',
    '2026-03-01\n',
    '2026-03-01\r\nx: y',
    '2026-03-01,2026-03-01',
    '+2026-03-01',
    '2026-03-01T00:00:00Z',
    '２０２６-03-01',
  ];
  for (const asked of malformed) {
    t.strictSame(resolveVersion(asked, { version: VERSION, policy: 'fill' }), { invalid: true }, JSON.stringify(asked));
    t.strictSame(resolveVersion(asked, { version: VERSION, policy: 'pin' }), { invalid: true }, JSON.stringify(asked));
  }
});

test('every day from 1999 to 2029 is a date exactly if the calendar has it', async (t) => {
  let wrong = 0;
  for (let year = 1999; year <= 2029; year++) {
    for (let month = 1; month <= 12; month++) {
      for (let day = 1; day <= 31; day++) {
        const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
        const isReal = new Date(Date.UTC(year, month - 1, day)).toISOString().startsWith(text);
        if (isCalendarDate(text) !== isReal) wrong += 1;
      }
    }
  }
  t.equal(wrong, 0);
});
