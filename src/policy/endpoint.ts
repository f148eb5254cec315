// Which endpoints a caller's grants open. Pure.
import type { Grant } from '../config/grant.ts';
import { ALLOWED, denied, type Verdict } from './verdict.ts';

/**
 * An endpoint with a grant is open to callers that hold it by both policy and credential. One without is open to every credential of a
 * client app that may read. The message of a refusal tells a developer what would open the endpoint.
 * @param limit what the credential itself allows at most; `null` = it does not say
 */
export function checkEndpoint(
  { grant }: { readonly grant: Grant | null },
  policy: { readonly grants: readonly Grant[]; readonly reads: boolean },
  limit: readonly Grant[] | null,
): Verdict {
  if (grant === null)
    return policy.reads ? ALLOWED : denied('This client app may not read the catalogue of the account.');
  return policy.grants.includes(grant) && (limit === null || limit.includes(grant))
    ? ALLOWED
    : denied(`This caller does not have the grant "${grant}", which opens this endpoint.`);
}
