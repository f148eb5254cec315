// The secrets that sign proxied access tokens, and their rotation: the first signs, all verify.
import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import type { Secret } from '../config/secret.ts';

export interface SigningKey {
  /** Names the secret in a token's header without telling anything about it: a hash of a hash, cut short. */
  readonly kid: string;
  readonly key: KeyObject;
}

export function signingKeys(secrets: readonly Secret[]): readonly SigningKey[] {
  return secrets.map((secret) => {
    const bytes = Buffer.from(secret.reveal(), 'utf8');
    const kid = createHash('sha256')
      .update('cartesia-broker signing key id\0')
      .update(bytes)
      .digest('base64url')
      .slice(0, 12);
    return { kid, key: createSecretKey(bytes) };
  });
}
