// Checks the credential of the admin API.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../config/secret.ts';

export interface AdminToken {
  /** @param authorization the header as received */
  isIn(authorization: string | undefined): boolean;
  /** From now on only the new token is accepted. */
  renew(secret: Secret): void;
}

export function createAdminToken(secret: Secret): AdminToken {
  let expected = digest(secret.reveal());
  return {
    isIn(authorization = '') {
      const given = /^Bearer (\S+(?: \S+)*)$/i.exec(authorization)?.[1];
      return given !== undefined && timingSafeEqual(digest(given), expected);
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
