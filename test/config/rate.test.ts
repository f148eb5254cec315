import fc from 'fast-check';
import { test } from 'tap';
import { formatRate, parseRate } from '../../src/config/rate.ts';

const CASES: readonly (readonly [text: string, max: number, windowMs: number])[] = [
  ['1/second', 1, 1_000],
  ['30/minute', 30, 60_000],
  ['5/hour', 5, 3_600_000],
  ['20000/day', 20_000, 86_400_000],
];

for (const [text, max, windowMs] of CASES) {
  test(`${text} is ${max} per ${windowMs} ms, in both directions`, async (t) => {
    t.strictSame(parseRate(text), { max, windowMs });
    t.equal(formatRate({ max, windowMs }), text);
  });
}

test('anything that is not a rate is undefined', async (t) => {
  for (const text of ['off', '', '0/minute', '3/week', '3/minute ', '/minute', '3/'])
    t.equal(parseRate(text), undefined, text);
});

test('a rate formats back to the text it was parsed from', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 999_999_999 }),
          fc.constantFrom('second', 'minute', 'hour', 'day'),
          (max, window) => {
            const rate = parseRate(`${max}/${window}`);
            return rate !== undefined && formatRate(rate) === `${max}/${window}`;
          },
        ),
      ),
    'held for every case tried',
  );
});
