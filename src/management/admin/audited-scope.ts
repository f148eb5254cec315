// Whom an admin call is about, as its audit line may say it: a subject is hashed there as everywhere.
import type { Revocation } from '../../store/revocations.ts';
import type { SubjectHash } from '../../telemetry/subject-hash.ts';

export type AuditedScope = Readonly<Record<string, string>>;

/** The id of a token is no credential. */
export function auditedScope(revocation: Revocation, subjectHash: SubjectHash): AuditedScope {
  switch (revocation.scope) {
    case 'everything':
      return { scope: 'everything' };
    case 'client':
      return { scope: 'client', client: revocation.client };
    case 'subject':
      return {
        scope: 'subject',
        client: revocation.client,
        subject: subjectHash(revocation.client, revocation.subject),
      };
    case 'token':
      return { scope: 'token', token_id: revocation.token };
  }
}
