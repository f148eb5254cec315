// An issuer's key pairs and tokens signed with them, made with node:crypto so that invalid tokens can be signed too.
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Its entry in a key set. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

let count = 0;

export function createSigningKey(alg = 'ES256', overrides: Readonly<Record<string, unknown>> = {}): SigningKey {
  count += 1;
  const { publicKey, privateKey } = keyPair(alg);
  const kid = `key-${count}`;
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig', ...overrides };
  return { kid, alg, privateKey, publicKey, jwk };
}

/** Claims valid for five minutes from `nowSeconds`. */
export function goodClaims(issuer: string, nowSeconds = Math.floor(Date.now() / 1_000)): Record<string, unknown> {
  return { iss: issuer, aud: 'voice', sub: 'user-1', iat: nowSeconds, exp: nowSeconds + 300 };
}

/** A compact JWT; members of `header` override the default ones, and `undefined` omits one. */
export function signJwt(
  key: SigningKey,
  claims: object | string,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const head = encode(JSON.stringify({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header }));
  return signParts(key, head, encode(typeof claims === 'string' ? claims : JSON.stringify(claims)));
}

/** Signs two encoded parts unchanged. */
export function signParts(key: SigningKey, header: string, payload: string): string {
  const input = `${header}.${payload}`;
  return `${input}.${signature(key, Buffer.from(input)).toString('base64url')}`;
}

export function encode(text: string | Buffer): string {
  return Buffer.from(text).toString('base64url');
}

function signature({ alg, privateKey: key }: SigningKey, data: Buffer): Buffer {
  const digest = `sha${alg.slice(-3)}`;
  if (alg.startsWith('Ed')) return sign(null, data, key);
  if (alg.startsWith('ES')) return sign(digest, data, { key, dsaEncoding: 'ieee-p1363' });
  if (alg.startsWith('RS')) return sign(digest, data, key);
  return sign(digest, data, {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
}

function keyPair(alg: string): { publicKey: KeyObject; privateKey: KeyObject } {
  if (alg.startsWith('Ed')) return generateKeyPairSync('ed25519');
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (alg === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  if (alg === 'ES512') return generateKeyPairSync('ec', { namedCurve: 'P-521' });
  return generateKeyPairSync('rsa', { modulusLength: 2_048 });
}
