// The interface of authenticators, which turn a credential into a principal; one file each, asked in turn by the chain.
import type { Duplex } from 'node:stream';
import type { Principal } from './principal.ts';

/** Where a credential was found. A credential in a URL ends up in logs and histories, so few kinds are accepted there. */
export type CredentialPlace = 'authorization' | 'x-api-key' | 'query';

export interface Credential {
  /** The text as sent, unverified. */
  readonly rawToken: string;
  readonly place: CredentialPlace;
  /** The connection on which more requests with it may come; `null` = none will, as after an upgrade. */
  readonly connection: Duplex | null;
}

/**
 * The answer of one authenticator.
 * `not_responsible`: the credential is not of this kind, ask the next. `refused`: it is of this kind and bad; `code` is what
 * the caller is told, `reason` goes to log and metrics only (callers cannot tell one cause from another).
 * `unavailable`: it cannot be decided now (the issuer's key set cannot be fetched and the key is unknown).
 */
export type Authentication =
  | { readonly outcome: 'authenticated'; readonly principal: Principal }
  | { readonly outcome: 'refused'; readonly code: 'unauthenticated' | 'token_expired'; readonly reason: string }
  | { readonly outcome: 'unavailable'; readonly reason: string }
  | { readonly outcome: 'not_responsible' };

export interface Authenticator {
  /**
   * @param credential what the request brought, or `null` when it brought none
   * @returns a plain value if the answer is known at once (an app key, a token seen before), so that the usual request waits
   *   for no promise
   */
  authenticate(credential: Credential | null): Authentication | Promise<Authentication>;
}

export const NOT_RESPONSIBLE: Authentication = { outcome: 'not_responsible' };

/** Refuses without telling the caller why: all such responses have the same body. */
export function refused(reason: string): { outcome: 'refused'; code: 'unauthenticated'; reason: string } {
  return { outcome: 'refused', code: 'unauthenticated', reason };
}
