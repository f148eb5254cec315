import { test } from 'tap';
import { parseBudget } from '../../src/config/budget.ts';

test('a budget is an amount per hour, day or month', async (t) => {
  t.strictSame(parseBudget('1/hour'), { max: 1, window: 'hour' });
  t.strictSame(parseBudget('20000/day'), { max: 20_000, window: 'day' });
  t.strictSame(parseBudget('999999999999/month'), { max: 999_999_999_999, window: 'month' });
});

test('any other text is not a budget', async (t) => {
  const none = [
    '',
    '0/day',
    '01/day',
    '1/week',
    '1/days',
    ' 1/day',
    '1/day\n',
    '1.5/day',
    '-1/day',
    '1000000000000/day',
  ];
  for (const text of [undefined, ...none]) t.equal(parseBudget(text), null, String(text));
});
