// Delivery `proxied`: access tokens signed by the broker, valid at the broker's mirror of Cartesia's paths.
import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Minter } from './minter.ts';
import { PROXIED_TOKEN_ISSUER, PROXIED_TOKEN_TYPE, type ProxiedTokenClaims } from './proxied-token.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface ProxiedMinterOptions {
  readonly keys: SigningKeys;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export function createProxiedMinter({ keys, now }: ProxiedMinterOptions): Minter {
  return {
    recall: () => null,
    async mint(order) {
      const { kid, key } = keys.signer;
      // Whole seconds, rounded down: the token is never valid for longer than the response says.
      const issuedAt = Math.floor(now() / 1000);
      const expiresAt = issuedAt + order.lifetimeSeconds;
      const claims: ProxiedTokenClaims = {
        iss: PROXIED_TOKEN_ISSUER,
        client: order.principal.client,
        sub: order.principal.subject,
        grants: Object.fromEntries(order.grants.map((grant) => [grant, true])),
        delivery: 'proxied',
        jti: randomUUID(),
        ...(order.isSingleUse ? { single_use: true } : {}),
        iat: issuedAt,
        exp: expiresAt,
      };
      return {
        token: await new SignJWT({ ...claims })
          .setProtectedHeader({ alg: 'HS256', typ: PROXIED_TOKEN_TYPE, kid })
          .sign(key),
        expiresAtMs: expiresAt * 1000,
        lifetimeSeconds: order.lifetimeSeconds,
        isReused: false,
        upstreamRequestId: null,
        upstreamMs: null,
        audit: { isReported: false },
      };
    },
  };
}
