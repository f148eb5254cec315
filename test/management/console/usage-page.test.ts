import { test } from 'tap';
import type { UsageLine } from '../../../src/management/admin/usage-summary.ts';
import { usagePage } from '../../../src/management/console/usage-page.ts';

const line = (changes: Partial<UsageLine> = {}): UsageLine => ({
  day: '2026-11-29',
  client: 'web',
  subject: 'alice',
  requests: 1,
  characters: 1_000,
  spoken_seconds: 60.25,
  audio_seconds: 0,
  call_seconds: 0,
  cost: null,
  ...changes,
});

/** The cells of each row of the table, as text. */
function rowsOf(html: string, caption: string): readonly (readonly string[])[] {
  const [, rest = ''] = html.split(`<caption>${caption}</caption>`);
  const [, body = ''] = /<tbody>(.*?)<\/tbody>/s.exec(rest) ?? [];
  return [...body.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map(([, cell = '']) => cell.replace(/<[^>]*>/g, '')),
  );
}

test('each day is summed up, the newest first and in detail', async (t) => {
  const lines = [
    line({ day: '2026-11-28', cost: 0.5 }),
    line({ cost: 0.05 }),
    line({ subject: 'bob', characters: 2_500, audio_seconds: 12.345, cost: 0.125 }),
  ];
  const newest = usagePage(lines, undefined).content.text;
  t.strictSame(rowsOf(newest, 'By day'), [
    ['2026-11-29', '2', '3,500', '120.5', '12.35', '0', '0.18'],
    ['2026-11-28', '1', '1,000', '60.25', '0', '0', '0.5'],
  ]);
  t.strictSame(rowsOf(newest, '2026-11-29 by client app and subject'), [
    ['web', 'alice', '1', '1,000', '60.25', '0', '0', '0.05'],
    ['web', 'bob', '1', '2,500', '60.25', '12.35', '0', '0.13'],
  ]);
  const older = usagePage(lines, '2026-11-28').content.text;
  t.equal(rowsOf(older, '2026-11-28 by client app and subject').length, 1);
  for (const nonsense of ['2020-01-01', '<script>', ['2026-11-28'], null])
    t.equal(usagePage(lines, nonsense).content.text, newest, 'a day that is not there is the newest');
});

test('without prices the column of the cost is empty', async (t) => {
  t.strictSame(rowsOf(usagePage([line()], undefined).content.text, 'By day')[0]?.at(-1), '');
});

test('of a day with very many subjects a part is listed, and the rest counted', async (t) => {
  const lines = Array.from({ length: 1_002 }, (_, at) => line({ subject: `user-${at}` }));
  const { text } = usagePage(lines, undefined).content;
  t.equal(rowsOf(text, '2026-11-29 by client app and subject').length, 1_000);
  t.match(text, '2 more are not listed');
  t.strictSame(rowsOf(text, 'By day')[0]?.[1], '1,002');
});

test('nothing consumed yet', async (t) => {
  t.match(usagePage([], undefined).content.text, 'Nothing has been consumed yet.');
});
