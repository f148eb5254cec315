// What an authenticator is: credential -> principal, one file each, asked in turn by the chain.
import type { Duplex } from 'node:stream';
import type { Principal } from './principal.ts';

/** Where a credential was found. A credential in a URL ends up in logs and histories, so few kinds are taken from there. */
export type CredentialPlace = 'authorization' | 'x-api-key' | 'query';

export interface Credential {
  /** The text as sent, unverified. */
  readonly rawToken: string;
  readonly place: CredentialPlace;
  /** Where more requests with it may come; `null` = nowhere, as with an upgrade. */
  readonly connection: Duplex | null;
}

/**
 * The answer of one authenticator.
 * `not_responsible`: the credential is not of this kind, ask the next. `refused`: it is of this kind and bad; `code` is what
 * the caller is told, `reason` goes to log and metrics only (callers cannot tell one cause from another).
 * `unavailable`: it cannot be decided now (the key set of the issuer is out of reach and the key is unknown).
 */
export type Authentication =
  | { readonly outcome: 'authenticated'; readonly principal: Principal }
  | { readonly outcome: 'refused'; readonly code: 'unauthenticated' | 'token_expired'; readonly reason: string }
  | { readonly outcome: 'unavailable'; readonly reason: string }
  | { readonly outcome: 'not_responsible' };

export interface Authenticator {
  /**
   * @param credential what the request brought, or `null` when it brought none
   * @returns a plain value wherever the answer is known at once (a key, a token seen before), so that the usual request waits
   *   for no promise
   */
  authenticate(credential: Credential | null): Authentication | Promise<Authentication>;
}

export const NOT_RESPONSIBLE: Authentication = { outcome: 'not_responsible' };
