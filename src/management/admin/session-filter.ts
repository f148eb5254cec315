// Reads the filter of the session list, checked field by field.
import { Problem } from '../../errors/problems.ts';
import type { SessionFilter } from '../../limits/all-sessions.ts';

/**
 * @param query as parsed by the router
 * @throws Problem `invalid_request` that names the field
 */
export function readSessionFilter(query: unknown): SessionFilter {
  const { client = null, subject = null, ...surplus } = query as Readonly<Record<string, unknown>>; // the router makes an object
  const [unknown] = Object.keys(surplus);
  if (unknown !== undefined)
    throw new Problem('invalid_request', 'Sessions can be filtered by "client" and "subject" only.');
  return { client: textOf('client', client), subject: textOf('subject', subject) };
}

function textOf(name: string, value: unknown): string | null {
  if (value === null || (typeof value === 'string' && value !== '')) return value;
  throw new Problem('invalid_request', `The parameter "${name}" must be a string, given once.`);
}
