// Turns a request into its principal, in the same way for minting, HTTP, event streams and WebSocket upgrades.
import type { ClientConfig } from '../config/config.ts';
import { createAnonymousAuthenticator } from './anonymous.ts';
import { createAppKeyAuthenticator } from './app-key.ts';
import { type Authentication, type Authenticator, type Credential, NOT_RESPONSIBLE, refused } from './authenticator.ts';
import { resolveSubject } from './broker-subject.ts';
import { type HeaderView, readCredential } from './credentials.ts';
import { createJwtAuthenticator, type JwtAuthenticatorOptions } from './jwt/jwt-authenticator.ts';
import type { Principal } from './principal.ts';

/** All of a request that authentication looks at. */
export interface RequestFacts extends HeaderView {
  /** Raw query string without the `?`; empty if there is none. */
  readonly query: string;
  /** A WebSocket upgrade: only there may the credential be in the query. */
  readonly isUpgrade: boolean;
}

/**
 * `code` is what the caller is told and `message`, if any, is safe to send; `reason` goes to log and metrics only.
 * `unavailable`: the issuer's keys cannot be fetched; the same request may succeed later.
 */
export type Identification =
  | { readonly outcome: 'authenticated'; readonly principal: Principal }
  | {
      readonly outcome: 'refused';
      readonly code: 'unauthenticated' | 'token_expired' | 'subject_not_allowed' | 'invalid_request';
      readonly reason: string;
      readonly message?: string;
    }
  | { readonly outcome: 'unavailable'; readonly reason: string };

export interface Identity {
  /** A plain value if the answer is known at once; a promise only while an issuer's keys are being fetched. */
  authenticate(facts: RequestFacts): Identification | Promise<Identification>;
  /** Loads the issuers' keys before the first caller needs them. Never rejects, and startup need not wait for it. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

export interface IdentityOptions extends JwtAuthenticatorOptions {
  /** Asked before all others, such as the verifier of the broker's own access tokens. What they accept may be in a query. */
  readonly extra?: readonly Authenticator[];
}

/**
 * Asks the authenticators in turn; the first that is responsible decides. A credential that one refuses is not shown to the
 * others, and its sender never becomes an anonymous caller.
 * @throws when the client apps cannot be told apart: shared app keys, several anonymous ones
 */
export function createIdentity(options: IdentityOptions): Identity {
  const { clients, extra = [] } = options;
  const clientsByName = new Map(clients.map((client) => [client.name, client]));
  const jwt = createJwtAuthenticator(options);
  const chain = [...extra, jwt, createAppKeyAuthenticator(clients), createAnonymousAuthenticator(clients)];

  return {
    authenticate(facts) {
      const reading = readCredential(facts, facts.query, { fromQuery: facts.isUpgrade });
      if (reading.outcome === 'refused') return reading;
      const credential = reading.outcome === 'found' ? reading.credential : null;
      const answer = ask(chain, 0, credential);
      return answer instanceof Promise
        ? answer.then((late) => conclude(late, credential, facts, clientsByName))
        : conclude(answer, credential, facts, clientsByName);
    },
    warm: () => jwt.warm(),
    close: () => jwt.close(),
  };
}

function ask(
  chain: readonly Authenticator[],
  from: number,
  credential: Credential | null,
): Authentication | Promise<Authentication> {
  for (let i = from; i < chain.length; i += 1) {
    const answer = chain[i]?.authenticate(credential) ?? NOT_RESPONSIBLE;
    if (answer instanceof Promise) {
      return answer.then((late) => (late.outcome === 'not_responsible' ? ask(chain, i + 1, credential) : late));
    }
    if (answer.outcome !== 'not_responsible') return answer;
  }
  return NOT_RESPONSIBLE;
}

function conclude(
  answer: Authentication,
  credential: Credential | null,
  facts: RequestFacts,
  clients: ReadonlyMap<string, ClientConfig>,
): Identification {
  // The app key authenticator is responsible for every credential, so there was none.
  if (answer.outcome === 'not_responsible') return refused('no_credential');
  if (answer.outcome !== 'authenticated') return answer;
  const { principal } = answer;
  const client: ClientConfig | undefined = clients.get(principal.client);
  if (credential?.place === 'query' && isLongLived(principal) && client?.auth.queryCredentials !== true) {
    return refused('credential_in_query');
  }
  const resolution = resolveSubject(principal, facts, client);
  if (resolution.outcome === 'refused') return resolution;
  return resolution.principal === principal ? answer : { outcome: 'authenticated', principal: resolution.principal };
}

/** URLs end up in logs and histories: by default only tokens that the broker itself minted may be in them. */
function isLongLived(principal: Principal): boolean {
  return principal.method === 'app_key' || principal.method === 'jwt';
}
