// What the audit line says about the target of an admin call; a subject is hashed, as in every log line.
import type { Revocation } from '../../store/revocations.ts';
import type { SubjectHash } from '../../telemetry/subject-hash.ts';

export type AuditedScope = Readonly<Record<string, string>>;

/** A token's id is not a credential, so it appears in the clear. */
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
