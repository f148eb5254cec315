import fc from 'fast-check';
import { test } from 'tap';
import { nameFinder } from '../../src/config/near-name.ts';

const KNOWN = ['PORT', 'HOST', 'PROXY', 'TOKEN_TTL', 'TOKEN_TTL_MAX', 'JWT_ISSUER', 'CORS_ORIGINS'];

const CASES: readonly (readonly [name: string, nearest: string | undefined, why: string])[] = [
  ['TOKEN_TLL', 'TOKEN_TTL', 'a wrong letter'],
  ['TOKEN_TLT', 'TOKEN_TTL', 'two swapped letters'],
  ['TOKEN_TT', 'TOKEN_TTL', 'a missing letter'],
  ['CORS_ORIGIN', 'CORS_ORIGINS', 'a missing letter at the end'],
  ['TOKEN_TTL_MX', 'TOKEN_TTL_MAX', 'the nearer of two'],
  ['jwt-issuer', 'JWT_ISSUER', 'case and hyphens are not slips'],
  ['POTR', 'PORT', 'one slip in a short name'],
  ['JWT_ISUSRE', 'JWT_ISSUER', 'two slips in a long name'],
  ['JWT_SIUSRE', undefined, 'three slips'],
  ['PRXYS', undefined, 'two slips in a name of five letters'],
  ['QUEUE', undefined, 'far from everything'],
  ['POST', 'PORT', 'the first of several equally near names'],
  ['HOSTNAME', undefined, 'a longer word with the same beginning'],
  ['', undefined, 'nothing'],
  ['x'.repeat(10_000), undefined, 'a very long name'],
];

for (const [name, nearest, why] of CASES) {
  test(`${name.slice(0, 20) || '(empty)'}: ${why}`, async (t) => {
    t.equal(nameFinder(KNOWN)(name), nearest);
  });
}

test('any single slip in a long name is found', async (t) => {
  const slip = fc.record({
    name: fc.constantFrom(...KNOWN.filter((known) => known.length > 5)),
    at: fc.nat(),
    letter: fc.constantFrom('q', '7', '_', 'Z'),
    kind: fc.constantFrom('drop', 'insert', 'replace'),
  });
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(slip, ({ name, at, letter, kind }) => {
          const i = at % name.length;
          const rest = name.slice(kind === 'insert' ? i : i + 1);
          const written = name.slice(0, i) + (kind === 'drop' ? '' : letter) + rest;
          return nameFinder([name])(written) === name;
        }),
      ),
    'held for every case tried',
  );
});

test('a slip is an insertion, deletion, replacement or swap of letters, and the fewest are counted', async (t) => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '_'), minLength: 1, maxLength: 7 });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(word, word, (known, written) => {
        const isNear = slips(known, written) <= (known.length <= 5 ? 1 : 2);
        return nameFinder([known])(written) === (isNear ? known : undefined);
      }),
      { numRuns: 300 },
    ),
  );
});

/** The smallest number of slips, found by trying every way. */
function slips(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  const ways = [
    slips(a.slice(1), b) + 1,
    slips(a, b.slice(1)) + 1,
    slips(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1),
  ];
  if (a.length > 1 && a[0] === b[1] && a[1] === b[0]) ways.push(slips(a.slice(2), b.slice(2)) + 1);
  return Math.min(...ways);
}
