// App keys: long random secrets that name a client app. The configuration holds their digests only.
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ClientConfig } from '../config/config.ts';
import { type Authentication, type Authenticator, type Credential, NOT_RESPONSIBLE, refused } from './authenticator.ts';

/** Lets people and secret scanners recognise the keys. */
const PREFIX = 'cb_';

/** A new key: `cb_` and 256 random bits as 43 base64url characters. Show it once, store `appKeyDigest(key)`. */
export function createAppKey(): string {
  return PREFIX + randomBytes(32).toString('base64url');
}

/** Lower-case hex SHA-256 of the whole key with its prefix. A plain hash suffices: there is no dictionary of 256 random bits. */
export function appKeyDigest(key: string): string {
  return hash('sha256', key, 'hex');
}

/**
 * Recognises a caller by the digest of what it sent, whatever its shape: an operator's own key works as well as one of ours.
 *
 * Timing leaks nothing: every text, known or not, costs one SHA-256, one map lookup and one constant-time comparison. The lookup
 * compares digests, and without inverting SHA-256 nobody can steer the digest of a guess towards a stored one; even a digest known
 * in full is no key.
 * @throws when two client apps hold the same key: who is calling would be a guess
 */
export function createAppKeyAuthenticator(clients: readonly ClientConfig[]): Authenticator {
  const known = new Map<string, KnownKey>();
  for (const client of clients) {
    for (const digest of client.auth.keys) {
      const owner = known.get(digest)?.client;
      if (owner !== undefined && owner !== client.name) {
        throw new Error(`Client apps ${owner} and ${client.name} have the same app key`);
      }
      known.set(digest, { client: client.name, digest: Buffer.from(digest, 'latin1'), answer: answerFor(client.name) });
    }
  }
  const nobody: KnownKey = { client: '', digest: Buffer.alloc(64), answer: refused('app_key_unknown') };

  return {
    authenticate(credential: Credential | null): Authentication {
      if (credential === null) return NOT_RESPONSIBLE;
      const digest = appKeyDigest(credential.rawToken);
      const candidate = known.get(digest) ?? nobody;
      return timingSafeEqual(candidate.digest, Buffer.from(digest, 'latin1')) ? candidate.answer : nobody.answer;
    },
  };
}

interface KnownKey {
  readonly client: string;
  /** The hex text as bytes. */
  readonly digest: Buffer;
  readonly answer: Authentication;
}

/** Made once: nothing about an app key changes from request to request. */
function answerFor(client: string): Authentication {
  const principal = {
    client,
    subject: client,
    method: 'app_key',
    claims: Object.freeze({}),
    grants: null,
    expiresAt: null,
  } as const;
  return Object.freeze({ outcome: 'authenticated', principal: Object.freeze(principal) });
}
