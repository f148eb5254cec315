// What an operator asks to be shut out, checked field by field.
import { Problem } from '../../errors/problems.ts';
import type { Revocation } from '../../store/revocations.ts';

/** No access token lives longer. */
const TOKEN_LIFE_MAX_MS = 3_600_000;

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
      throw invalid(`The field "${name}" must be a text.`);
    return value;
  };
  const surplus = Object.keys(fields).some((name) => name !== 'scope' && !needed.includes(name));
  if (surplus)
    throw invalid(`With this scope the body has the fields ${['scope', ...needed].join(', ')} and no others.`);
  switch (scope) {
    case 'everything':
      return { scope };
    case 'client':
      return { scope, client: text('client') };
    case 'subject':
      return { scope, client: text('client'), subject: text('subject') };
    case 'token':
      return { scope, token: text('token'), untilMs: now + TOKEN_LIFE_MAX_MS };
  }
}

/**
 * A slip in a name must not look like a revocation. Tokens of a client app that is no longer configured open nothing anyhow.
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
