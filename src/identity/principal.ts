// Who is calling, after authentication.
import type { Grant } from '../config/grant.ts';

/** How the caller proved itself. */
export type AuthenticationMethod = 'app_key' | 'jwt' | 'access_token' | 'anonymous';

/**
 * The authenticated caller. Never changed once made.
 */
export interface Principal {
  /** Name of the client app in the configuration. */
  readonly client: string;
  /** The end user (or device); the client app's name if the credential names nobody. */
  readonly subject: string;
  readonly method: AuthenticationMethod;
  /** Verified content of the credential; empty if it has none. */
  readonly claims: Readonly<Record<string, unknown>>;
  /**
   * What the credential itself allows at most, before the client app's policy: from a claim of a JWT (`grants_from`)
   * or from a proxied access token. `null` = the credential does not limit it.
   */
  readonly grants: readonly Grant[] | null;
  /** Epoch seconds after which the credential is no longer valid; `null` = it does not expire. */
  readonly expiresAt: number | null;
}
