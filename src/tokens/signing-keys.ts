// The secrets that sign proxied access tokens, and their rotation: the first signs, all verify.
import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import type { Secret } from '../config/secret.ts';

export interface SigningKey {
  /** Names the secret in a token's header without revealing it: a truncated hash of a label and the secret. */
  readonly kid: string;
  readonly key: KeyObject;
}

export interface SigningKeys {
  /** The key that signs new tokens. */
  readonly signer: SigningKey;
  /** `undefined`: its secret is not, or no longer, in use. */
  find(kid: string): KeyObject | undefined;
  renew(secrets: readonly Secret[]): void;
}

/** @param secrets at least one */
export function signingKeys(secrets: readonly Secret[]): SigningKeys {
  let ring = ringOf(secrets);
  return {
    get signer() {
      return ring.signer;
    },
    find: (kid) => ring.byId.get(kid),
    renew(next) {
      ring = ringOf(next);
    },
  };
}

interface Ring {
  readonly signer: SigningKey;
  readonly byId: ReadonlyMap<string, KeyObject>;
}

function ringOf(secrets: readonly Secret[]): Ring {
  const keys = secrets.map(signingKey);
  const [signer] = keys;
  if (signer === undefined) throw new TypeError('signing needs a secret');
  return { signer, byId: new Map(keys.map(({ kid, key }) => [kid, key])) };
}

function signingKey(secret: Secret): SigningKey {
  const bytes = Buffer.from(secret.reveal(), 'utf8');
  const kid = createHash('sha256')
    .update('cartesia-broker signing key id\0')
    .update(bytes)
    .digest('base64url')
    .slice(0, 12);
  return { kid, key: createSecretKey(bytes) };
}
