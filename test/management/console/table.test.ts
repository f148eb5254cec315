import { test } from 'tap';
import { age, table } from '../../../src/management/console/table.ts';

test('an age has its two largest units', async (t) => {
  const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000];
  for (const [ms, expected] of [
    [-5, '0 s'],
    [999, '0 s'],
    [59 * second + 999, '59 s'],
    [minute, '1 min 0 s'],
    [hour - 1, '59 min 59 s'],
    [hour + 61 * second, '1 h 1 min'],
    [day - 1, '23 h 59 min'],
    [3 * day + 4 * hour, '3 d 4 h'],
  ] as const)
    t.equal(age(ms), expected, String(ms));
});

test('numbers of a table stand below each other, texts are escaped', async (t) => {
  const items = ['<b>', 'no number: 1'];
  const { text } = table('<one>', ['<name>', 'count'], items, (item) => [item, item === '<b>' ? '1,234.5' : 7]);
  t.match(text, '<caption>&lt;one&gt;</caption>');
  t.match(text, '<th scope="col">&lt;name&gt;</th><th scope="col">count</th>');
  t.match(text, '<tr><td>&lt;b&gt;</td><td class="number">1,234.5</td></tr>');
  t.match(text, '<tr><td>no number: 1</td><td class="number">7</td></tr>');
  t.notMatch(text, 'not listed');
});

test('of very many rows a part is made, and the rest counted', async (t) => {
  let made = 0;
  const { text } = table('many', ['n'], Array.from({ length: 1_003 }), () => {
    made += 1;
    return ['x'];
  });
  t.equal(made, 1_000);
  t.match(text, '<p>3 more are not listed.</p>');
});
