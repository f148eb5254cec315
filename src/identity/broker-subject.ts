// X-Broker-Subject: lets a trusted backend that has authenticated its user name that user.
import type { ClientConfig } from '../config/config.ts';
import type { HeaderView } from './credentials.ts';
import type { Principal } from './principal.ts';
import { isSubject } from './subject.ts';

export type SubjectResolution =
  | { readonly outcome: 'resolved'; readonly principal: Principal }
  | { readonly outcome: 'refused'; readonly code: 'subject_not_allowed'; readonly reason: string }
  | {
      readonly outcome: 'refused';
      readonly code: 'invalid_request';
      readonly reason: string;
      readonly message: string;
    };

export const MAX_NAMED_SUBJECT_LENGTH = 128;

/**
 * Replaces the subject by the one that the request names. Only a client app marked as trusted may do so, and only with
 * its app key: a user or an anonymous caller must not speak for someone else.
 * @param client the configuration of the principal's client app
 */
export function resolveSubject(
  principal: Principal,
  request: HeaderView,
  client: ClientConfig | undefined,
): SubjectResolution {
  const named = request.headers['x-broker-subject'];
  if (named === undefined) return { outcome: 'resolved', principal };
  if (principal.method !== 'app_key' || client?.trusted !== true) {
    return { outcome: 'refused', code: 'subject_not_allowed', reason: 'subject_from_untrusted_client' };
  }
  // Node joins repeated fields with a comma, which would turn two subjects into a third.
  const repeated = request.rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === 'x-broker-subject');
  if (repeated.length > 1 || typeof named !== 'string' || !isSubject(named, MAX_NAMED_SUBJECT_LENGTH)) {
    return {
      outcome: 'refused',
      code: 'invalid_request',
      reason: 'subject_malformed',
      message: `X-Broker-Subject must be given once, as 1 to ${MAX_NAMED_SUBJECT_LENGTH} printable ASCII characters.`,
    };
  }
  return { outcome: 'resolved', principal: { ...principal, subject: named } };
}
