import { test } from 'tap';
import { decodeJwt } from '../../../src/identity/jwt/compact-jwt.ts';
import { createSigningKey, encode, goodClaims, signJwt, signParts } from './signing-key.ts';

const key = createSigningKey();
const claims = goodClaims('https://login.example.com');
const withHeader = (header: Record<string, unknown>) => signJwt(key, claims, header);
const reasonOf = (rawToken: string) => {
  const decoding = decodeJwt(rawToken);
  return decoding.outcome === 'malformed' ? decoding.reason : 'decoded';
};

test('a token is split into its parts', async (t) => {
  const rawToken = signJwt(key, claims);
  const input = rawToken.slice(0, rawToken.lastIndexOf('.'));
  t.strictSame(decodeJwt(rawToken), {
    outcome: 'decoded',
    alg: 'ES256',
    kid: key.kid,
    payload: claims,
    signingInput: Buffer.from(input),
    signature: Buffer.from(rawToken.slice(input.length + 1), 'base64url'),
  });
});

test('token types meant for services are accepted, others are not', async (t) => {
  for (const typ of [undefined, 'JWT', 'jwt', 'at+jwt', 'application/at+jwt', 'Application/JWT']) {
    t.equal(reasonOf(withHeader({ typ })), 'decoded', String(typ));
  }
  for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'JOSE', '', 1, null, ['JWT'], 'jwt ']) {
    t.equal(reasonOf(withHeader({ typ })), 'jwt_typ', JSON.stringify(typ));
  }
});

test('a header that demands unsupported processing is refused', async (t) => {
  t.equal(reasonOf(withHeader({ crit: ['exp'] })), 'jwt_crit');
  t.equal(reasonOf(withHeader({ crit: ['urn:x'], 'urn:x': true })), 'jwt_crit');
  t.equal(reasonOf(withHeader({ crit: [] })), 'jwt_crit');
  t.equal(reasonOf(withHeader({ crit: null })), 'jwt_crit');
  t.equal(reasonOf(withHeader({ b64: false, crit: ['b64'] })), 'jwt_crit');
  t.equal(reasonOf(withHeader({ b64: true })), 'jwt_crit');
  t.equal(reasonOf(withHeader({ alg: undefined })), 'jwt_alg_missing');
  t.equal(reasonOf(withHeader({ alg: ['ES256'] })), 'jwt_alg_missing');
  t.equal(reasonOf(withHeader({ kid: 1 })), 'jwt_kid_malformed');
  t.equal(reasonOf(withHeader({ kid: null })), 'jwt_kid_malformed');
  t.equal(
    reasonOf(withHeader({ jwk: key.jwk, x5u: 'https://evil.example' })),
    'decoded',
    'keys embedded in the header are ignored',
  );
});

test('only three parts of canonical base64url are accepted', async (t) => {
  const rawToken = signJwt(key, claims);
  const [header = '', payload = '', signature = ''] = rawToken.split('.');
  const jwe = `${rawToken}.${payload}.${signature}`;
  const parts = [
    jwe,
    `${rawToken}.`,
    `.${rawToken}`,
    `${header}.${payload}`,
    `${header}.${payload}.`,
    `.${payload}.${signature}`,
  ];
  for (const text of [...parts, `${header}..${signature}`, '..', '.', '', 'a']) {
    t.equal(reasonOf(text), 'jwt_parts', text.slice(0, 20));
  }
  const spellings = [
    `${header}=.${payload}.${signature}`,
    `${header}.${payload}.${signature}==`,
    `${header}.${payload}.${signature} `,
    `${header}.${payload}\n.${signature}`,
    `${header}.${payload}.${signature.slice(0, 10)}+${signature.slice(11)}`,
    `${header}.${payload}.${signature.slice(0, 10)}/${signature.slice(11)}`,
    `${header}.${payload}.é`,
  ];
  for (const text of spellings) t.equal(reasonOf(text), 'jwt_base64url', text.slice(-20));
});

test('stray bits at the end of a part are refused: they would give one token two spellings', async (t) => {
  const rawToken = signJwt(key, claims);
  const last = rawToken.slice(-1);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const sibling = `${rawToken.slice(0, -1)}${alphabet[alphabet.indexOf(last) + 1]}`;
  t.same(
    Buffer.from(sibling.split('.')[2] ?? '', 'base64url'),
    Buffer.from(rawToken.split('.')[2] ?? '', 'base64url'),
    'lenient decoders see the same bytes',
  );
  t.equal(reasonOf(sibling), 'jwt_base64url');
});

test('ambiguous or broken JSON is refused', async (t) => {
  const header = (text: string | Buffer) => signParts(key, encode(text), encode(JSON.stringify(claims)));
  t.equal(reasonOf(header('{"alg":"none","alg":"ES256"}')), 'jwt_header_json');
  t.equal(reasonOf(header('["ES256"]')), 'jwt_header_json');
  t.equal(reasonOf(header(Buffer.from('{"alg":"ES256","x":"\xff"}', 'latin1'))), 'jwt_header_json');
  t.equal(reasonOf(signJwt(key, '{"sub":"alice","sub":"bob"}')), 'jwt_payload_json');
  t.equal(reasonOf(signJwt(key, '{"sub":"alice","\\u0073ub":"bob"}')), 'jwt_payload_json');
  t.equal(reasonOf(signJwt(key, '[]')), 'jwt_payload_json');
  t.equal(reasonOf(signJwt(key, 'null')), 'jwt_payload_json');
  t.equal(reasonOf(signJwt(key, 'plain text')), 'jwt_payload_json');
});

test('a token over 8 KB is refused before it is decoded', async (t) => {
  t.equal(reasonOf(signJwt(key, { ...claims, pad: 'x'.repeat(6_300) })), 'jwt_too_long');
});
