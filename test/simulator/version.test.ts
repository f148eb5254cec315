import { test } from 'tap';
import { isBefore, resolveVersion } from '../../src/simulator/version.ts';

const settings = { structuredSince: '2026-03-01', structuredWithoutVersion: false };

test('the version decides the form of errors', async (t) => {
  const cases: readonly [header: string | undefined, query: string | null, date: string | null, structured: boolean][] =
    [
      ['2026-03-01', null, '2026-03-01', true],
      ['2026-08-14', null, '2026-08-14', true],
      ['2031-01-01', null, '2031-01-01', true],
      ['2026-02-28', null, '2026-02-28', false],
      ['2025-04-16', null, '2025-04-16', false],
      [undefined, null, null, false],
      ['latest', null, null, false],
      ['2026-13-01', null, null, false],
      ['2026-02-30', null, null, false],
      ['2026-08-14x', null, null, false],
      ['2025-04-16', '2026-08-14', '2026-08-14', true],
      ['2026-08-14', '2025-04-16', '2025-04-16', false],
      ['2026-08-14', 'nonsense', null, false],
      ['2026-08-14', '', null, false],
    ];
  for (const [header, query, date, structured] of cases) {
    t.strictSame(resolveVersion(settings, { header, query }), { date, structured }, `${header} ${query}`);
  }
});

test('whether a request without a version gets structured errors is a setting', async (t) => {
  const version = resolveVersion({ ...settings, structuredWithoutVersion: true }, { header: undefined });
  t.strictSame(version, { date: null, structured: true });
});

test('only a known version can be before a date', async (t) => {
  t.equal(isBefore({ date: '2025-04-16', structured: false }, '2026-08-14'), true);
  t.equal(isBefore({ date: '2026-08-14', structured: true }, '2026-08-14'), false);
  t.equal(isBefore({ date: null, structured: false }, '2026-08-14'), false);
});
