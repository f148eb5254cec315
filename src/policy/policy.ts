// What a token may contain: policy + wish -> decision. Pure.
import { GRANTS, type Grant } from '../config/grant.ts';

/** What the caller asks for; `null` or absent = it does not say. */
export interface Wish {
  readonly grants?: { readonly [grant in Grant]?: boolean | null } | null;
  /** Seconds, already known to be an integer from 1 to 3600. */
  readonly expiresInSeconds?: number | null;
  readonly isSingleUse?: boolean;
}

/** What the client app's configuration allows, in the configuration's terms. */
export interface Policy {
  readonly grants: readonly Grant[];
  readonly defaultGrants: readonly Grant[];
  readonly ttl: { readonly defaultSeconds: number; readonly maxSeconds: number };
}

export type Decision =
  | {
      readonly outcome: 'grant';
      /** Never empty; in the order of `GRANTS`. */
      readonly grants: readonly Grant[];
      readonly expiresInSeconds: number;
    }
  | {
      readonly outcome: 'deny';
      readonly code: 'grant_not_allowed' | 'invalid_request';
      readonly message: string;
    };

/**
 * Grants at least one grant, and never more than the policy and the credential both allow.
 * Asking for a grant that is not allowed refuses the whole wish; a lifetime longer than allowed is shortened (ADR 0004).
 * A wish that asks for no grant gets the policy's default grants, less those it sets to `false`.
 * @param limit what the credential itself allows at most; `null` = it does not say
 */
export function decide(wish: Wish, policy: Policy, limit: readonly Grant[] | null): Decision {
  const allowed = limit === null ? policy.grants : policy.grants.filter((grant) => limit.includes(grant));
  const asked = GRANTS.filter((grant) => wish.grants?.[grant] === true);

  const refused = asked.filter((grant) => !allowed.includes(grant));
  if (refused.length > 0) {
    return deny('grant_not_allowed', `This caller may not have the grant ${refused.map((g) => `"${g}"`).join(', ')}.`);
  }

  const grants =
    asked.length > 0
      ? asked
      : GRANTS.filter(
          (grant) => policy.defaultGrants.includes(grant) && allowed.includes(grant) && wish.grants?.[grant] !== false,
        );
  if (grants.length === 0) {
    return allowed.length > 0 && saysFalse(wish)
      ? deny('invalid_request', 'The field "grants" leaves nothing to be granted.')
      : deny('grant_not_allowed', 'This caller may not have any grant.');
  }

  const seconds = wish.expiresInSeconds ?? policy.ttl.defaultSeconds;
  return { outcome: 'grant', grants, expiresInSeconds: Math.min(seconds, policy.ttl.maxSeconds) };
}

function saysFalse(wish: Wish): boolean {
  return GRANTS.some((grant) => wish.grants?.[grant] === false);
}

function deny(code: 'grant_not_allowed' | 'invalid_request', message: string): Decision {
  return { outcome: 'deny', code, message };
}
