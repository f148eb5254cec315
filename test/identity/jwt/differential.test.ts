// Compares our verification with jose's: a token that jose refuses must be refused here, and ordinary tokens must pass both.
import fc from 'fast-check';
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose';
import { type Test, test } from 'tap';
import { createJwtAuthenticator } from '../../../src/identity/jwt/jwt-authenticator.ts';
import { SUPPORTED_ALGORITHMS } from '../../../src/identity/jwt/verification-key.ts';
import { clientConfig, jwtConfig } from '../client-config.ts';
import { startIssuerServer } from './issuer-server.ts';
import { createSigningKey, encode, type SigningKey, signJwt, signParts } from './signing-key.ts';

const NOW = 1_800_000_000;
const TOLERANCE = 30;
const AUDIENCE = ['voice', 'voice-beta'];
const keys = SUPPORTED_ALGORITHMS.map((alg) => createSigningKey(alg));
const stranger = createSigningKey('ES256');
const es256 = keys.find((key) => key.alg === 'ES256') as SigningKey;

interface Verdicts {
  readonly ours: boolean;
  readonly jose: boolean;
}

async function verifiers(t: Test) {
  const server = await startIssuerServer();
  t.teardown(() => server.close());
  server.publish(...keys.map((key) => key.jwk));
  const { issuer } = server;
  const algorithms = [...SUPPORTED_ALGORITHMS];
  const jwt = jwtConfig({ issuer, audience: AUDIENCE, algorithms, toleranceSeconds: TOLERANCE });
  const clients = [clientConfig({ auth: { jwt: [jwt] } })];
  const authenticator = createJwtAuthenticator({ clients, now: () => NOW * 1_000 });
  t.teardown(() => authenticator.close());
  await authenticator.warm();
  const keySet = createLocalJWKSet({ keys: keys.map((key) => key.jwk as JWK) });
  const options = {
    algorithms,
    issuer,
    audience: AUDIENCE,
    clockTolerance: TOLERANCE,
    currentDate: new Date(NOW * 1_000),
    requiredClaims: ['iss', 'aud', 'exp', 'sub'],
  };
  return {
    issuer,
    async verdicts(rawToken: string): Promise<Verdicts> {
      const answer = await authenticator.authenticate({ rawToken, place: 'authorization', connection: null });
      const jose = await jwtVerify(rawToken, keySet, options).then(
        () => true,
        () => false,
      );
      return { ours: answer.outcome === 'authenticated', jose };
    },
  };
}

const good = (issuer: string) => ({ iss: issuer, aud: 'voice', sub: 'user-1', iat: NOW, exp: NOW + 300 });

test('ordinary tokens of every algorithm pass both', async (t) => {
  const { issuer, verdicts } = await verifiers(t);
  for (const key of keys) {
    const variants = [
      signJwt(key, good(issuer)),
      signJwt(key, {
        ...good(issuer),
        aud: ['other', 'voice-beta'],
        nbf: NOW,
        scope: 'a b',
        nested: { a: [1, { b: 2 }] },
      }),
      signJwt(key, { ...good(issuer), name: 'Zoë "Z" \\ 😀', exp: NOW - 29.5 }),
      signJwt(key, good(issuer), { typ: undefined }),
      signJwt(key, good(issuer), { typ: 'at+jwt', x5t: 'abc' }),
      signJwt(key, JSON.stringify(good(issuer), null, 2)),
    ];
    for (const [i, rawToken] of variants.entries()) {
      t.strictSame(await verdicts(rawToken), { ours: true, jose: true }, `${key.alg}, variant ${i}`);
    }
  }
});

test('a corpus of bad tokens passes neither', async (t) => {
  const { issuer, verdicts } = await verifiers(t);
  const claims = good(issuer);
  const [header = '', payload = '', signature = ''] = signJwt(es256, claims).split('.');
  const head = (value: object) => encode(JSON.stringify(value));
  const corpus = [
    '',
    '.',
    '..',
    '...',
    'a.b.c',
    payload,
    `${header}.${payload}`,
    `${header}.${payload}.`,
    `${header}..${signature}`,
    `.${payload}.${signature}`,
    `${header}.${payload}.${signature}.`,
    `${header}.${payload}.${signature}.${payload}.${signature}`,
    `${payload}.${header}.${signature}`,
    `${head({ alg: 'none' })}.${payload}.`,
    `${head({ alg: 'none' })}.${payload}.${signature}`,
    `${head({ alg: 'ES256', kid: 'nobody' })}.${payload}.${signature}`,
    signJwt(stranger, claims),
    signJwt(stranger, claims, { kid: es256.kid }),
    signJwt(es256, claims, { alg: 'ES384' }),
    signJwt(es256, claims, { alg: 'RS256', kid: keys[0]?.kid }),
    signJwt(es256, claims, { crit: ['x'], x: 1 }),
    signJwt(es256, claims, { crit: ['b64'], b64: false }),
    signJwt(es256, claims, { kid: ['a'] }),
    ...[undefined, null, '', 'x', [], {}, 1].flatMap((odd) => [
      signJwt(es256, { ...claims, iss: odd }),
      signJwt(es256, { ...claims, aud: odd }),
      signJwt(es256, { ...claims, exp: odd }),
    ]),
    ...[null, 'x', [], {}, NOW + 31].map((odd) => signJwt(es256, { ...claims, nbf: odd })),
    signJwt(es256, { ...claims, sub: undefined }),
    signJwt(es256, { ...claims, exp: NOW - TOLERANCE }),
    signJwt(es256, '[]'),
    signJwt(es256, 'null'),
    signJwt(es256, 'not json'),
    signParts(es256, encode('[]'), payload),
    signParts(es256, encode('{"alg":"ES256"'), payload),
    signParts(es256, encode(Buffer.from('{"alg":"ES256","a":"\xff"}', 'latin1')), payload),
    signParts(es256, header, encode(Buffer.from('{"sub":"\xff"}', 'latin1'))),
  ];
  for (const rawToken of corpus) {
    t.strictSame(await verdicts(rawToken), { ours: false, jose: false }, rawToken.slice(0, 60));
  }
});

test('no mutated token is accepted here that jose refuses', async (t) => {
  const { issuer, verdicts } = await verifiers(t);
  const tally = { accepted: 0, refused: 0, stricter: 0 };
  await fc.assert(
    fc.asyncProperty(mutatedToken(issuer), async (rawToken) => {
      const { ours, jose } = await verdicts(rawToken);
      if (ours) tally.accepted += 1;
      else if (jose) tally.stricter += 1;
      else tally.refused += 1;
      return jose || !ours;
    }),
    { numRuns: 3_000 },
  );
  t.comment(JSON.stringify(tally));
  t.ok(tally.accepted > 30, 'the mutations leave some tokens good');
  t.ok(tally.refused > 300, 'and break many');
});

/** Tokens built from odd claims and headers, signed by known and unknown keys, some of them changed after signing. */
function mutatedToken(issuer: string): fc.Arbitrary<string> {
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(undefined, '', 'voice', issuer, 'ES256', es256.kid),
  );
  const time = fc.oneof(
    fc.integer({ min: -100, max: 100 }).map((offset) => NOW + offset),
    fc.double({ noNaN: true }),
    odd,
  );
  const changes = fc.record(
    {
      iss: odd,
      aud: fc.oneof(odd, fc.array(odd, { maxLength: 3 })),
      sub: odd,
      exp: time,
      nbf: time,
      iat: time,
      extra: odd,
    },
    { requiredKeys: [] },
  );
  const header = fc.record(
    {
      alg: fc.constantFrom(...SUPPORTED_ALGORITHMS, 'none', 'HS256', undefined),
      kid: fc.oneof(fc.constantFrom(...keys.map((key) => key.kid), undefined), odd),
      typ: fc.constantFrom('JWT', 'at+jwt', 'JOSE', undefined, 1),
      crit: fc.constantFrom(undefined, [], ['exp'], ['b64'], 'exp'),
      b64: fc.constantFrom(undefined, true, false),
    },
    { requiredKeys: [] },
  );
  const rarely = <T>(arbitrary: fc.Arbitrary<T>, otherwise: T) =>
    fc.oneof({ weight: 2, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary });
  const signed = fc
    .tuple(fc.constantFrom(...keys, stranger), rarely(changes, {}), rarely(header, {}))
    .map(([key, change, head]) => signJwt(key, { ...good(issuer), ...change }, head));
  return fc
    .tuple(
      signed,
      rarely(damage(), (text) => text),
    )
    .map(([rawToken, inflict]) => inflict(rawToken));
}

type Damage = (rawToken: string) => string;

function damage(): fc.Arbitrary<Damage> {
  const character = fc.constantFrom(...'ABCabc019-_.=+/ \n\u0000é');
  const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const edit = (kind: 'replace' | 'insert' | 'delete'): fc.Arbitrary<Damage> =>
    fc.tuple(at, character).map(([position, text]) => (rawToken) => {
      const i = Math.floor(position * rawToken.length);
      return rawToken.slice(0, i) + (kind === 'delete' ? '' : text) + rawToken.slice(kind === 'insert' ? i : i + 1);
    });
  const swapParts = fc.shuffledSubarray([0, 1, 2], { minLength: 2 }).map(
    (order): Damage =>
      (rawToken) =>
        order.map((i) => rawToken.split('.')[i]).join('.'),
  );
  const lastCharacter = character.map(
    (text): Damage =>
      (rawToken) =>
        rawToken.slice(0, -1) + text,
  );
  return fc.oneof(edit('replace'), edit('insert'), edit('delete'), swapParts, lastCharacter);
}
