// The authenticator for proxied access tokens, which the broker itself signed.
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { GRANTS } from '../config/grant.ts';
import {
  type Authentication,
  type Authenticator,
  type Credential,
  NOT_RESPONSIBLE,
  refused,
} from '../identity/authenticator.ts';
import { readValidity } from '../identity/jwt/claims.ts';
import { createVerifiedTokens } from '../identity/jwt/verified-tokens.ts';
import { PROXIED_TOKEN_ISSUER, PROXIED_TOKEN_TYPE } from './proxied-token.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface ProxiedTokenAuthenticatorOptions {
  /** All of them verify. */
  readonly keys: SigningKeys;
  /** Names of the configured client apps: tokens of one that was removed from the configuration are refused. */
  readonly clients: ReadonlySet<string>;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** The longest header segment that can be one of ours; longer ones are not decoded. */
const HEADER_MAX = 256;

export function createProxiedTokenAuthenticator(options: ProxiedTokenAuthenticatorOptions): Authenticator {
  const { keys, clients, now } = options;
  // A token comes with every request of its lifetime; verifying it each time was 40 % of the cost of carrying a small request.
  const verified = createVerifiedTokens();
  const keyIdOf = createKeyIdReader();

  async function verify(credential: Credential, kid: string): Promise<Authentication> {
    const key = keys.find(kid);
    if (key === undefined) return refused('access_token_secret_unknown');
    try {
      const { payload } = await jwtVerify(credential.rawToken, key, {
        algorithms: ['HS256'],
        typ: PROXIED_TOKEN_TYPE,
        issuer: PROXIED_TOKEN_ISSUER,
        requiredClaims: ['sub', 'exp', 'iat', 'jti'],
        clockTolerance: 0,
        currentDate: new Date(now()),
      });
      const answer = principalOf(payload);
      const validity = readValidity(payload);
      if (answer.outcome === 'authenticated' && typeof validity !== 'string')
        verified.remember(credential, {
          answer,
          validity,
          toleranceSeconds: 0,
          isTrusted: () => keys.find(kid) !== undefined,
        });
      return answer;
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { outcome: 'refused', code: 'token_expired', reason: 'expired' };
      return refused('access_token_signature');
    }
  }

  function principalOf(payload: JWTPayload): Authentication {
    const { client, sub, grants, exp } = payload;
    if (typeof client !== 'string' || !clients.has(client)) return refused('access_token_client_unknown');
    if (typeof sub !== 'string' || typeof grants !== 'object' || grants === null) return refused('access_token_claims');
    return {
      outcome: 'authenticated',
      principal: {
        client,
        subject: sub,
        method: 'access_token',
        claims: payload,
        grants: GRANTS.filter((grant) => Reflect.get(grants, grant) === true),
        expiresAt: exp ?? null,
      },
    };
  }

  return {
    authenticate(credential) {
      if (credential === null) return NOT_RESPONSIBLE;
      // Before the cache, since it costs less and every credential passes here.
      const kid = keyIdOf(credential.rawToken);
      if (kid === null) return NOT_RESPONSIBLE;
      return verified.recall(credential, Math.floor(now() / 1_000)) ?? verify(credential, kid);
    },
  };
}

/** Issuers write the same header for all tokens of a key: this many headers are remembered, whoever sends them. */
const HEADERS_MAX = 64;

/** @returns a function that reads the key id of a token that claims to be ours, else `null`; it does not verify anything */
function createKeyIdReader(): (rawToken: string) => string | null {
  const known = new Map<string, string | null>();
  return (rawToken) => {
    const end = rawToken.indexOf('.');
    if (end < 1 || end > HEADER_MAX) return null;
    const header = rawToken.slice(0, end);
    let kid = known.get(header);
    if (kid === undefined) {
      kid = readKeyId(header);
      if (known.size >= HEADERS_MAX) known.clear();
      // A copy: the slice would keep the whole token in memory.
      known.set(Buffer.from(header, 'latin1').toString('latin1'), kid);
    }
    return kid;
  };
}

function readKeyId(encodedHeader: string): string | null {
  try {
    const header: unknown = JSON.parse(Buffer.from(encodedHeader, 'base64url').toString('utf8'));
    if (typeof header !== 'object' || header === null || Reflect.get(header, 'typ') !== PROXIED_TOKEN_TYPE) return null;
    const kid: unknown = Reflect.get(header, 'kid');
    return typeof kid === 'string' ? kid : null;
  } catch {
    return null;
  }
}
