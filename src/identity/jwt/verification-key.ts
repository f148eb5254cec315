// Imports an issuer's public keys for verification: one object for each algorithm that a key may serve.
import { constants, createPublicKey, hash, type KeyObject, type VerifyKeyObjectInput, verify } from 'node:crypto';
import { isJsonObject } from '../../json/strict-json.ts';
import { ecdsaSignatureToDer } from './ecdsa-signature.ts';

/** One key for one algorithm. */
export interface VerificationKey {
  /** Stays the same for the same key across refreshes of the key set. */
  readonly id: string;
  readonly alg: string;
  readonly kid: string | undefined;
  verify(data: Buffer, signature: Buffer): boolean;
}

interface Algorithm {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  readonly crv?: string;
  /** `null` if the algorithm hashes by itself (Ed25519). */
  readonly digest: string | null;
  /** Bytes; if absent, as long as the modulus. */
  readonly signatureLength?: number;
  readonly input: (key: KeyObject) => KeyObject | VerifyKeyObjectInput;
  /** Converts a JWS signature to the form that OpenSSL reads; if absent, they are the same. */
  readonly convert?: (signature: Buffer) => Buffer;
}

/** The supported algorithms (RFC 7518 §3.1, RFC 8037, RFC 9864). No symmetric algorithm and no `none`. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['RS256', rsa('sha256')],
  ['RS384', rsa('sha384')],
  ['RS512', rsa('sha512')],
  ['PS256', rsaPss('sha256')],
  ['PS384', rsaPss('sha384')],
  ['PS512', rsaPss('sha512')],
  ['ES256', ecdsa('P-256', 'sha256', 64)],
  ['ES384', ecdsa('P-384', 'sha384', 96)],
  ['ES512', ecdsa('P-521', 'sha512', 132)],
  ['EdDSA', ed25519()],
  ['Ed25519', ed25519()],
]);

/** Names of the algorithms a client app may list. */
export const SUPPORTED_ALGORITHMS: readonly string[] = [...ALGORITHMS.keys()];

/**
 * The usable keys of a JWK set (RFC 7517 §5). Ignored: keys for encryption, for other operations or for unsupported algorithms,
 * symmetric and private keys, RSA keys outside 2048–8192 bits or with an unsound exponent, and whatever is not a key.
 * @param jwks the members of `keys`, unchecked
 */
export function importVerificationKeys(jwks: readonly unknown[]): VerificationKey[] {
  return jwks.flatMap(importJwk);
}

function importJwk(jwk: unknown): VerificationKey[] {
  if (!isJsonObject(jwk) || !isForVerifying(jwk)) return [];
  const algorithms = [...ALGORITHMS].filter(([name, algorithm]) => serves(jwk, name, algorithm));
  if (algorithms.length === 0) return [];
  const key = publicKey(jwk);
  if (key === null || !isSound(key)) return [];
  const kid = typeof jwk['kid'] === 'string' ? jwk['kid'] : undefined;
  const print = hash('sha256', key.export({ type: 'spki', format: 'der' }), 'base64url');
  return algorithms.map(([name, algorithm]) => verificationKey(name, algorithm, kid, key, print));
}

function isForVerifying(jwk: Readonly<Record<string, unknown>>): boolean {
  const { use, key_ops: operations } = jwk;
  if (use !== undefined && use !== 'sig') return false;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return false;
  // A private key in a public key set is no longer secret.
  return !Object.hasOwn(jwk, 'd');
}

function serves(jwk: Readonly<Record<string, unknown>>, name: string, algorithm: Algorithm): boolean {
  if (jwk['kty'] !== algorithm.kty || (jwk['alg'] !== undefined && jwk['alg'] !== name)) return false;
  return algorithm.crv === undefined || jwk['crv'] === algorithm.crv;
}

function publicKey(jwk: Readonly<Record<string, unknown>>): KeyObject | null {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return null;
  }
}

/**
 * The upper bounds keep a single verification well under a millisecond. With the exponent 1 anybody can sign, and an even one does not
 * make an RSA key; OpenSSL accepts both.
 */
function isSound(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa') return true;
  const { modulusLength: bits = 0, publicExponent: exponent = 0n } = key.asymmetricKeyDetails ?? {};
  return bits >= 2_048 && bits <= 8_192 && exponent > 1n && exponent % 2n === 1n && exponent < 2n ** 64n;
}

function verificationKey(
  alg: string,
  algorithm: Algorithm,
  kid: string | undefined,
  key: KeyObject,
  print: string,
): VerificationKey {
  const { digest, convert } = algorithm;
  const signatureLength = algorithm.signatureLength ?? modulusBytes(key);
  const input = algorithm.input(key);
  return {
    id: JSON.stringify([alg, kid ?? null, print]),
    alg,
    kid,
    verify(data, signature) {
      // OpenSSL also accepts an RSA signature without its leading zeros, so that one token would have two signatures (RFC 8017 §8.1.2).
      if (signature.length !== signatureLength) return false;
      // Synchronous on purpose: the trip to the thread pool costs more than it saves.
      return verify(digest, data, input, convert === undefined ? signature : convert(signature));
    },
  };
}

function modulusBytes({ asymmetricKeyDetails }: KeyObject): number {
  return Math.ceil((asymmetricKeyDetails?.modulusLength ?? 0) / 8);
}

function rsa(digest: string): Algorithm {
  return { kty: 'RSA', digest, input: (key) => key };
}

function rsaPss(digest: string): Algorithm {
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return {
    kty: 'RSA',
    digest,
    input: (key) => ({ key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
  };
}

function ecdsa(crv: string, digest: string, signatureLength: number): Algorithm {
  return { kty: 'EC', crv, digest, signatureLength, input: (key) => key, convert: ecdsaSignatureToDer };
}

function ed25519(): Algorithm {
  return { kty: 'OKP', crv: 'Ed25519', digest: null, signatureLength: 64, input: (key) => key };
}
