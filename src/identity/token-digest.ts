// The digest by which a token is remembered, so that no usable token stays in memory longer than its connection.
import { hash } from 'node:crypto';
import type { Duplex } from 'node:stream';

interface LastToken {
  readonly rawToken: string;
  readonly digest: string;
}

const lastToken: unique symbol = Symbol('last token');

declare module 'node:stream' {
  interface Duplex {
    [lastToken]?: LastToken;
  }
}

/**
 * SHA-256 of the whole token as base64url.
 * @param connection on which it came: most bring the same token with every request, and hashing it each time cost 3 % of a small carried
 *   request. `null` = no further request is expected on it
 */
export function tokenDigest(rawToken: string, connection: Duplex | null): string {
  const last = connection?.[lastToken];
  if (last?.rawToken === rawToken) return last.digest;
  const digest = hash('sha256', rawToken, 'base64url');
  if (connection !== null) connection[lastToken] = { rawToken, digest };
  return digest;
}
