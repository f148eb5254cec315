// Which endpoints a caller's grants open. Pure.
import type { Grant } from '../config/grant.ts';

/**
 * An endpoint with a grant is open to callers that hold it by both policy and credential. One without is open to every credential of a
 * client app that may read.
 * @param limit what the credential itself allows at most; `null` = it does not say
 */
export function allowsEndpoint(
  endpoint: { readonly grant: Grant | null },
  policy: { readonly grants: readonly Grant[]; readonly reads: boolean },
  limit: readonly Grant[] | null,
): boolean {
  if (endpoint.grant === null) return policy.reads;
  return policy.grants.includes(endpoint.grant) && (limit === null || limit.includes(endpoint.grant));
}

/** The message of a refusal: it tells a developer what would open the endpoint. */
export function whatIsMissing({ grant }: { readonly grant: Grant | null }): string {
  return grant === null
    ? 'This client app may not read the catalogue of the account.'
    : `This caller does not have the grant "${grant}", which opens this endpoint.`;
}
