// Checks the credential of the admin API.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../config/secret.ts';

export interface AdminToken {
  /** @param authorization the header as received; the token is its bearer token */
  isIn(authorization: string | undefined): boolean;
  /** The same for a browser, which asks for a name and a password: the token is the password. */
  isPasswordIn(authorization: string | undefined): boolean;
  /** From now on only the new token is accepted. */
  renew(secret: Secret): void;
}

export function createAdminToken(secret: Secret): AdminToken {
  let expected = digest(secret.reveal());
  const isToken = (given: string | undefined): boolean =>
    given !== undefined && timingSafeEqual(digest(given), expected);
  return {
    isIn: (authorization = '') => isToken(/^Bearer (\S+(?: \S+)*)$/i.exec(authorization)?.[1]),
    isPasswordIn(authorization = '') {
      const encoded = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(authorization)?.[1] ?? '';
      // A name has no colon (RFC 7617), a token may have some.
      return isToken(/^[^:]*:(.+)$/s.exec(Buffer.from(encoded, 'base64').toString())?.[1]);
    },
    renew(next) {
      expected = digest(next.reveal());
    },
  };
}

/** Digests are all of one length, so a comparison always takes the same time. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
