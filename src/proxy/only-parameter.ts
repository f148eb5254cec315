// A parameter of the query that stands there once, or not at all.
import { Problem } from '../errors/problems.ts';

/** @throws Problem `invalid_request` where it stands twice, or in another spelling: which one counts would be a guess */
export function onlyParameter(query: URLSearchParams, name: string): string | null {
  let value: string | null = null;
  for (const [key, one] of query) {
    if (key.toLowerCase() !== name) continue;
    if (key !== name || value !== null) throw new Problem('invalid_request', `The query must name "${name}" once.`);
    value = one;
  }
  return value;
}
