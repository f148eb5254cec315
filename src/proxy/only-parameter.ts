// Reads a query parameter that may occur at most once.
import { Problem } from '../errors/problems.ts';

/** @throws Problem `invalid_request` if it occurs twice or in another case: which one counts would be a guess */
export function onlyParameter(query: URLSearchParams, name: string): string | null {
  let value: string | null = null;
  for (const [key, one] of query) {
    if (key.toLowerCase() !== name) continue;
    if (key !== name || value !== null)
      throw new Problem('invalid_request', `The query must have "${name}" only once, in lower case.`);
    value = one;
  }
  return value;
}
