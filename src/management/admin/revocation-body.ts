// Reads the body of a revocation, checked field by field.
import { LIFETIME_MAX_SECONDS } from '../../config/token-lifetime.ts';
import { Problem } from '../../errors/problems.ts';
import { isSubject, MAX_SUBJECT_LENGTH } from '../../identity/subject.ts';
import type { Revocation } from '../../store/revocations.ts';

const FIELDS = {
  everything: [],
  client: ['client'],
  subject: ['client', 'subject'],
  token: ['token'],
} as const satisfies Record<Revocation['scope'], readonly string[]>;

/**
 * @param now epoch milliseconds
 * @throws Problem `invalid_request` that names the field
 */
export function readRevocation(body: unknown, now: number): Revocation {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('The body must be a JSON object.');
  const fields: Readonly<Record<string, unknown>> = { ...body };
  const { scope } = fields;
  if (!isScope(scope)) throw invalid('The field "scope" must be "everything", "client", "subject" or "token".');
  const needed: readonly string[] = FIELDS[scope];
  const text = (name: string): string => {
    const value = fields[name];
    if (typeof value !== 'string' || value === '' || value.length > 512)
      throw invalid(`The field "${name}" must be a string of 1 to 512 characters.`);
    return value;
  };
  const surplus = Object.keys(fields).some((name) => name !== 'scope' && !needed.includes(name));
  if (surplus)
    throw invalid(`With this scope the body must have exactly the fields ${['scope', ...needed].join(', ')}.`);
  switch (scope) {
    case 'everything':
      return { scope };
    case 'client':
      return { scope, client: text('client') };
    case 'subject':
      return { scope, client: text('client'), subject: subjectOf(text('subject')) };
    case 'token':
      return { scope, token: tokenIdOf(text('token')), untilMs: now + 1_000 * LIFETIME_MAX_SECONDS };
  }
}

/** Revoking a subject that no caller can have would succeed, and the user who was meant would not be shut out. */
function subjectOf(text: string): string {
  if (isSubject(text, MAX_SUBJECT_LENGTH)) return text;
  throw invalid(
    `The field "subject" must be 1 to ${MAX_SUBJECT_LENGTH} printable ASCII characters, as all subjects are.`,
  );
}

/** A whole token in place of its id would revoke nothing, and would be written to the audit line and the list while it is still valid. */
function tokenIdOf(text: string): string {
  if (UUID.test(text)) return text.toLowerCase();
  throw invalid('The field "token" must be the id of an access token (its `jti`, a UUID), not the token itself.');
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * A typo in a name must not look like a successful revocation. Tokens of a client app that is no longer configured are useless anyway.
 * @throws Problem `invalid_request` that lists the names
 */
export function requireKnownClient(revocation: Revocation, known: readonly string[]): void {
  if (!('client' in revocation) || known.includes(revocation.client)) return;
  throw invalid(`The field "client" must be the name of a client app: ${known.join(', ')}.`);
}

function isScope(value: unknown): value is Revocation['scope'] {
  return typeof value === 'string' && Object.hasOwn(FIELDS, value);
}

function invalid(message: string): Problem {
  return new Problem('invalid_request', message);
}
