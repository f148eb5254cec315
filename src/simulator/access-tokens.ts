// The access tokens of the simulated API: HS256 JWTs with the published claims.

import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Grants } from './settings.ts';

/** The claims of a valid token. Times are epoch seconds. */
export interface TokenClaims {
  readonly grants: Partial<Grants>;
  readonly jti: string;
  readonly iat: number;
  readonly iss: string;
  readonly exp: number;
}

export type TokenCheck =
  | { readonly outcome: 'valid'; readonly claims: TokenClaims }
  | { readonly outcome: 'expired' }
  | { readonly outcome: 'invalid' };

const ISSUER = 'https://api.cartesia.ai';

/** Signs and checks with a secret of its own, so that another simulator's tokens are never accepted. */
export class AccessTokens {
  readonly #secret: Buffer;
  readonly #header: string;

  constructor(secret: Buffer = randomBytes(32)) {
    this.#secret = secret;
    this.#header = encode({ alg: 'HS256', kid: `ssid_${randomBytes(8).toString('hex')}` });
  }

  /** @param nowMs epoch milliseconds */
  sign(wish: { readonly grants: Partial<Grants>; readonly seconds: number; readonly nowMs: number }): string {
    const iat = Math.floor(wish.nowMs / 1000);
    const claims: TokenClaims = {
      grants: wish.grants,
      jti: randomUUID(),
      iat,
      iss: ISSUER,
      exp: iat + wish.seconds,
    };
    const signed = `${this.#header}.${encode(claims)}`;
    return `${signed}.${this.#signature(signed).toString('base64url')}`;
  }

  /** @param nowMs epoch milliseconds; a token is expired from the second `exp` on */
  check(token: string, nowMs: number): TokenCheck {
    const [header, payload, signature, ...rest] = token.split('.');
    if (header !== this.#header || payload === undefined || signature === undefined || rest.length > 0) {
      return { outcome: 'invalid' };
    }
    const given = Buffer.from(signature, 'base64url');
    const expected = this.#signature(`${header}.${payload}`);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { outcome: 'invalid' };
    // The signature is ours, so the shape is what `sign` wrote.
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as TokenClaims;
    return nowMs / 1000 >= claims.exp ? { outcome: 'expired' } : { outcome: 'valid', claims };
  }

  #signature(text: string): Buffer {
    return createHmac('sha256', this.#secret).update(text).digest();
  }
}

/** Whether a credential looks like a JWT. API keys may contain one dot, never two. */
export function looksLikeToken(credential: string): boolean {
  return credential.split('.').length === 3;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
