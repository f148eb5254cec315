// Resolves `$ref` within the OpenAPI document.
import type { Reference } from './openapi-document.ts';

/**
 * @param parts the section of `components` that the reference points into
 * @throws Error if that section has no part of this name
 */
export function resolve<T extends object>(parts: Readonly<Record<string, T>>, part: T | Reference): T {
  const name = referenceName(part);
  if (name === null) return part as T; // no $ref, so it is the part itself
  const found = Object.hasOwn(parts, name) ? parts[name] : undefined;
  if (found === undefined) throw new Error(`the document has no part named ${name}`);
  return found;
}

/** `#/components/schemas/Error` -> `Error`; `null` if the part is not a reference. */
export function referenceName(part: object): string | null {
  if (!('$ref' in part) || typeof part.$ref !== 'string') return null;
  return part.$ref.slice(part.$ref.lastIndexOf('/') + 1);
}
