import { createHmac, generateKeyPairSync } from 'node:crypto';
import { test } from 'tap';
import { importVerificationKeys, SUPPORTED_ALGORITHMS } from '../../../src/identity/jwt/verification-key.ts';
import { createSigningKey, signJwt } from './signing-key.ts';

const algorithms = (jwk: unknown) => importVerificationKeys([jwk]).map((key) => key.alg);
const partsOf = (rawToken: string) => {
  const dot = rawToken.lastIndexOf('.');
  return [Buffer.from(rawToken.slice(0, dot)), Buffer.from(rawToken.slice(dot + 1), 'base64url')] as const;
};
const rsa = createSigningKey('RS256');
const ec = createSigningKey('ES256');

test('each supported algorithm verifies its own signatures and nothing else', async (t) => {
  for (const alg of SUPPORTED_ALGORITHMS) {
    const signing = createSigningKey(alg);
    const [key] = importVerificationKeys([signing.jwk]);
    if (key === undefined) throw new Error(`no key for ${alg}`);
    const [data, signature] = partsOf(signJwt(signing, { sub: 'a' }));
    t.ok(key.verify(data, signature), alg);
    t.notOk(key.verify(Buffer.concat([data, Buffer.from('x')]), signature), `${alg}: other data`);
    const flipped = Buffer.from(signature);
    flipped[flipped.length >> 1] = (flipped[flipped.length >> 1] ?? 0) ^ 1;
    t.notOk(key.verify(data, flipped), `${alg}: one bit flipped`);
    for (const wrong of [
      Buffer.alloc(0),
      signature.subarray(1),
      Buffer.concat([signature, Buffer.alloc(1)]),
      Buffer.alloc(signature.length),
    ]) {
      t.notOk(key.verify(data, wrong), `${alg}: signature of ${wrong.length} bytes`);
    }
  }
});

test('an RSA signature that begins with a zero byte is invalid without it', async (t) => {
  const signing = createSigningKey('PS256');
  const [key] = importVerificationKeys([signing.jwk]);
  for (let tries = 0; tries < 10_000; tries += 1) {
    const [data, signature] = partsOf(signJwt(signing, { sub: 'a' })); // a different signature each time
    if (signature[0] !== 0) continue;
    t.ok(key?.verify(data, signature));
    t.notOk(key?.verify(data, signature.subarray(1)));
    return;
  }
  t.fail('one signature in 256 begins with a zero byte');
});

test('a key serves the algorithms of its type, or the one it names', async (t) => {
  const { alg: _, ...anyRsa } = rsa.jwk;
  t.strictSame(algorithms(anyRsa), ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']);
  t.strictSame(algorithms(rsa.jwk), ['RS256']);
  const { alg: __, ...anyEc } = ec.jwk;
  t.strictSame(algorithms(anyEc), ['ES256']);
  t.strictSame(algorithms({ ...anyEc, alg: 'ES384' }), [], 'an algorithm of another curve');
  t.strictSame(algorithms({ ...anyEc, alg: 'RS256' }), [], 'an algorithm of another type');
  t.strictSame(algorithms({ ...anyEc, alg: 'HS256' }), []);
  t.strictSame(algorithms({ ...anyEc, alg: 'ECDH-ES' }), []);
  t.strictSame(algorithms({ ...anyEc, alg: null }), []);
});

test('keys for other uses are ignored', async (t) => {
  for (const about of [{ use: 'enc' }, { use: '' }, { key_ops: ['encrypt'] }, { key_ops: [] }, { key_ops: 'verify' }]) {
    t.strictSame(algorithms({ ...ec.jwk, ...about }), [], JSON.stringify(about));
  }
  t.strictSame(algorithms({ ...ec.jwk, use: undefined, key_ops: ['verify'] }), ['ES256']);
});

test('weak, symmetric, private and malformed keys are ignored, and the rest of the set is used', async (t) => {
  const weak = (modulusLength: number) =>
    generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' });
  const ed448 = generateKeyPairSync('ed448').publicKey.export({ format: 'jwk' });
  const bad = [
    weak(1_024),
    weak(2_040),
    { kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' },
    ec.privateKey.export({ format: 'jwk' }),
    { ...ec.jwk, x: 'AAAA' },
    { ...ec.jwk, y: ec.jwk['x'] },
    { ...ec.jwk, crv: 'P-384', alg: 'ES384' },
    { ...ec.jwk, x: undefined },
    { ...rsa.jwk, n: '' },
    { ...rsa.jwk, e: 'AQ' }, // 1: the signature is the padded hash itself, so anybody can write it
    { ...rsa.jwk, e: 'AA' },
    { ...rsa.jwk, e: 'AQAA' }, // 65536
    { ...rsa.jwk, e: 'AQAAAAAAAAAB' }, // 2^64 + 1
    ed448,
    { kty: 'EC' },
    {},
    null,
    'key',
    [],
    42,
  ];
  for (const jwk of bad) t.strictSame(importVerificationKeys([jwk]), [], JSON.stringify(jwk)?.slice(0, 60));
  t.strictSame(
    importVerificationKeys([...bad, ec.jwk, ...bad]).map((key) => key.kid),
    [ec.kid],
  );
});

test('small odd exponents are accepted', async (t) => {
  for (const e of ['Aw', 'EQ', 'AQAB']) t.strictSame(algorithms({ ...rsa.jwk, e }), ['RS256'], e);
});

test('an HMAC keyed with the public key is not a signature', async (t) => {
  const [key] = importVerificationKeys([rsa.jwk]);
  const data = Buffer.from('header.payload');
  const { publicKey } = rsa;
  const secrets = [
    publicKey.export({ type: 'spki', format: 'pem' }),
    publicKey.export({ type: 'spki', format: 'der' }),
    JSON.stringify(rsa.jwk),
  ];
  for (const secret of secrets) t.equal(key?.verify(data, createHmac('sha256', secret).update(data).digest()), false);
});

test('a key keeps its id, and its id differs from every other', async (t) => {
  const ids = (jwk: unknown) => importVerificationKeys([jwk]).map((key) => key.id);
  t.strictSame(ids(ec.jwk), ids({ ...ec.jwk, use: undefined, x5t: 'abc' }));
  t.notSame(ids(ec.jwk), ids({ ...ec.jwk, kid: 'other' }));
  t.notSame(ids(ec.jwk), ids({ ...createSigningKey('ES256').jwk, kid: ec.kid }));
  const { kid: _, ...nameless } = ec.jwk;
  t.strictSame(
    importVerificationKeys([nameless]).map((key) => key.kid),
    [undefined],
  );
  t.strictSame(ids(nameless), ids({ ...nameless, kid: 7 }), 'a malformed kid counts as none');
});
