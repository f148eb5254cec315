import { test } from 'tap';
import {
  claimAt,
  grantsFromClaims,
  isForAudience,
  meetsRequirements,
  readValidity,
  subjectFromClaims,
  timeComplaint,
} from '../../../src/identity/jwt/claims.ts';

test('a token is valid from the later of nbf and iat until exp', async (t) => {
  const cases: [Record<string, unknown>, unknown][] = [
    [{ exp: 10 }, { expiresAt: 10, notBefore: Number.NEGATIVE_INFINITY }],
    [
      { exp: 10, iat: 1 },
      { expiresAt: 10, notBefore: 1 },
    ],
    [
      { exp: 10, iat: 1, nbf: 2 },
      { expiresAt: 10, notBefore: 2 },
    ],
    [
      { exp: 10, iat: 3, nbf: 2 },
      { expiresAt: 10, notBefore: 3 },
    ],
    [
      { exp: 10.5, iat: -1 },
      { expiresAt: 10.5, notBefore: -1 },
    ],
    [{}, 'jwt_exp_missing'],
    [{ iat: 1 }, 'jwt_exp_missing'],
    [{ exp: '10' }, 'jwt_time_malformed'],
    [{ exp: null }, 'jwt_time_malformed'],
    [{ exp: [10] }, 'jwt_time_malformed'],
    [JSON.parse('{"exp":1e309}'), 'jwt_time_malformed'],
    [{ exp: 10, nbf: '1' }, 'jwt_time_malformed'],
    [{ exp: 10, nbf: null }, 'jwt_time_malformed'],
    [{ exp: 10, iat: true }, 'jwt_time_malformed'],
    [{ exp: 10, iat: null }, 'jwt_time_malformed'],
    [JSON.parse('{"exp":10,"iat":-1e309}'), 'jwt_time_malformed'],
  ];
  for (const [claims, expected] of cases) t.strictSame(readValidity(claims), expected, JSON.stringify(claims));
});

test('the tolerance applies at both ends, to the second', async (t) => {
  const validity = { expiresAt: 1_000, notBefore: 900 };
  const cases: [number, number, string | null][] = [
    [950, 0, null],
    [900, 0, null],
    [899, 0, 'jwt_not_yet_valid'],
    [999, 0, null],
    [1_000, 0, 'jwt_expired'],
    [1_059, 60, null],
    [1_060, 60, 'jwt_expired'],
    [840, 60, null],
    [839, 60, 'jwt_not_yet_valid'],
  ];
  for (const [now, tolerance, expected] of cases) {
    t.equal(timeComplaint(validity, now, tolerance), expected, `${now} with ${tolerance}`);
  }
});

test('one of the audiences must be ours', async (t) => {
  const ours = ['voice', 'https://voice.example.com'];
  for (const aud of ['voice', ['voice'], ['other', 'https://voice.example.com']]) t.ok(isForAudience({ aud }, ours));
  for (const aud of [
    undefined,
    null,
    '',
    'Voice',
    'voice ',
    'voic',
    [],
    ['other'],
    [['voice']],
    ['voice', 1],
    { voice: 1 },
    1,
  ]) {
    t.notOk(isForAudience({ aud }, ours), JSON.stringify(aud));
  }
  t.notOk(isForAudience({ aud: 'voice' }, []), 'no audience configured, none accepted');
});

test('a claim is found by its name first, then by its path', async (t) => {
  const claims = {
    plain: 1,
    realm_access: { roles: ['a'] },
    'https://example.com/roles': ['b'],
    'https://example.com/app': { 'my.client': { roles: ['c'] } },
    'a.b': 'name',
    a: { b: 'path', c: null, list: [{ x: 1 }] },
  };
  t.equal(claimAt(claims, 'plain'), 1);
  t.strictSame(claimAt(claims, 'realm_access.roles'), ['a']);
  t.strictSame(claimAt(claims, 'https://example.com/roles'), ['b']);
  t.strictSame(claimAt(claims, 'https://example.com/app.my.client.roles'), ['c']);
  t.equal(claimAt(claims, 'a.b'), 'name', 'the name wins');
  t.equal(claimAt(claims, 'a.c'), null);
  for (const path of [
    '',
    '.',
    'a.',
    '.a',
    'a.x',
    'plain.x',
    'a.c.x',
    'a.list.0',
    'constructor',
    'a.constructor',
    '__proto__',
    'a.__proto__.x',
    '__proto__.toString',
  ]) {
    t.equal(claimAt(claims, path), undefined, path);
  }
});

test('every required claim must have one of its values', async (t) => {
  const claims = {
    tier: 'pro',
    email_verified: true,
    level: 3,
    groups: ['staff', 'beta'],
    scope: 'speak listen',
    title: 'not admin',
    org: { id: 'o1' },
  };
  const met: Record<string, readonly string[]>[] = [
    {},
    { tier: ['free', 'pro'] },
    { email_verified: ['true'] },
    { level: ['3'] },
    { groups: ['beta'] },
    { scope: ['listen'] },
    { 'org.id': ['o1'] },
    { tier: ['pro'], groups: ['staff'] },
  ];
  for (const require of met) t.ok(meetsRequirements(claims, require), JSON.stringify(require));
  const unmet: Record<string, readonly string[]>[] = [
    { tier: ['free'] },
    { tier: [] },
    { missing: ['x'] },
    { missing: ['undefined'] },
    { tier: ['pro'], groups: ['admin'] },
    { title: ['admin'] },
    { scope: ['speak listen'] },
    { org: ['o1', '[object Object]'] },
    { constructor: ['x'] },
  ];
  for (const require of unmet) t.notOk(meetsRequirements(claims, require), JSON.stringify(require));
});

test('grants are mapped from a claim, and a missing claim gives none', async (t) => {
  const map = { speak: ['tts'], listen: ['stt'], all: ['tts', 'stt', 'agent'] } as const;
  const grants = (claims: Record<string, unknown>, claim = 'scope') => grantsFromClaims(claims, { claim, map });
  t.equal(grantsFromClaims({ scope: 'speak' }, null), null, 'without a rule the token does not limit grants');
  t.strictSame(grants({ scope: 'openid speak' }), ['tts']);
  t.strictSame(grants({ scope: 'listen speak listen' }), ['tts', 'stt']);
  t.strictSame(grants({ scope: ['all'] }), ['tts', 'stt', 'agent']);
  t.strictSame(grants({ realm_access: { roles: ['listen'] } }, 'realm_access.roles'), ['stt']);
  for (const scope of [
    undefined,
    null,
    '',
    'openid',
    'SPEAK',
    'constructor',
    '__proto__ toString',
    [],
    [['speak']],
    { speak: true },
    1,
  ]) {
    t.strictSame(grants({ scope }), [], JSON.stringify(scope));
  }
});

test('a subject is printable ASCII, as OpenID Connect demands', async (t) => {
  for (const sub of ['1', 'auth0|5f7c', 'Ada Lovelace', 'a@b.example', 'x'.repeat(255)]) {
    t.equal(subjectFromClaims({ sub }, 'sub'), sub);
  }
  for (const sub of [
    undefined,
    null,
    '',
    ' ',
    'a ',
    ' a',
    'x'.repeat(256),
    'jürgen',
    'a\nb',
    'a\u0000',
    7,
    true,
    ['a'],
    {},
  ]) {
    t.equal(subjectFromClaims({ sub }, 'sub'), null, JSON.stringify(sub));
  }
  t.equal(subjectFromClaims({ sub: 'a', user: { id: 'b' } }, 'user.id'), 'b', 'another claim may name it');
});
