// The name by which a token is remembered: its digest, so that no text that opens a door stays in memory longer than its connection.
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
 * @param connection on which it has come: most bring the same token with every request, and to hash it each time was 3 % of what a small
 *   carried request costs. `null` = it brings no more than one, or nobody knows
 */
export function tokenDigest(rawToken: string, connection: Duplex | null): string {
  const last = connection?.[lastToken];
  if (last?.rawToken === rawToken) return last.digest;
  const digest = hash('sha256', rawToken, 'base64url');
  if (connection !== null) connection[lastToken] = { rawToken, digest };
  return digest;
}
