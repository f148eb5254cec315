import { test } from 'tap';
import { parseRetryAfter } from '../../src/upstream/retry-after.ts';

const NOW = Date.UTC(2026, 2, 1, 12, 0, 0);

test('Retry-After is read as seconds or as a date, and as nothing else', async (t) => {
  const table: readonly [string | undefined, number | null][] = [
    ['0', 0],
    ['7', 7],
    [' 7 ', 7],
    ['86400', 86_400],
    ['Sun, 01 Mar 2026 12:00:09 GMT', 9],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
    ['Sunday, 01-Mar-26 12:00:09 GMT', 9],
    [undefined, null],
    ['', null],
    ['-5', null],
    ['1.5', null],
    ['1e3', null],
    ['0x10', null],
    ['9999999999999999999999', null],
    ['soon', null],
    ['Sunday', null],
    ['2026-03-01T12:00:09Z', null],
  ];
  for (const [value, seconds] of table) t.equal(parseRetryAfter(value, NOW), seconds, String(value));
  t.equal(parseRetryAfter(['1', '2'], NOW), null, 'sent twice');
});
