// The contents of a proxied access token.
import type { Grant } from '../config/grant.ts';

/** Type and issuer are fixed, so that no other token signed with the same secret passes for one of ours. */
export const PROXIED_TOKEN_TYPE = 'cartesia-broker+jwt';
export const PROXIED_TOKEN_ISSUER = 'cartesia-broker';

/** Claims of a proxied access token. `iat` and `exp` are epoch seconds. */
export interface ProxiedTokenClaims {
  readonly iss: typeof PROXIED_TOKEN_ISSUER;
  readonly client: string;
  readonly sub: string;
  readonly grants: { readonly [grant in Grant]?: true };
  readonly delivery: 'proxied';
  /** The token's id, a UUID: what an operator revokes. */
  readonly jti: string;
  /** Valid for one WebSocket and nothing else. */
  readonly single_use?: true;
  readonly iat: number;
  readonly exp: number;
}
