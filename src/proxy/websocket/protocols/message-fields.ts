// Parses messages on sockets into objects: a client's so that no other reader can find something else in the same bytes, upstream's leniently.
import { Problem } from '../../../errors/problems.ts';
import { hasMoreValues, isJsonObject } from '../../../json/strict-json.ts';
import { parseStrictJson, VALUES_MAX } from '../../../listener/parse-strict-json.ts';
import { caseVariantOf } from '../../case-variant.ts';

export type Fields = Readonly<Record<string, unknown>>;

/**
 * @param known every name that policy looks at, at any depth. One in another case (`Model_ID`) is refused: JSON readers that ignore case
 *   would take it for the field, and this one would not.
 * @throws Problem `invalid_request`
 */
export function readFields(payload: Buffer, known: ReadonlySet<string>): Fields {
  const value = parseStrictJson(payload, 'message');
  if (!isJsonObject(value)) throw new Problem('invalid_request', 'The message is not a JSON object.');
  refuseCaseVariants(value, known);
  return value;
}

/**
 * The text of a field in a refused message, if there is no doubt: the field's name occurs once in it.
 * @returns `null` if it cannot be told
 */
export function plainText(payload: Buffer, field: string): string | null {
  const text = payload.toString('utf8');
  if (hasMoreValues(text, VALUES_MAX) || text.split(`"${field}"`).length !== 2) return null;
  try {
    const value: unknown = JSON.parse(text);
    const found = isJsonObject(value) && Object.hasOwn(value, field) ? value[field] : null;
    return typeof found === 'string' ? found : null;
  } catch {
    return null;
  }
}

/** Reads an upstream message leniently. @returns `null` if it is no JSON object; then it passes unchanged */
export function fieldsIn(bytes: Buffer, start: number, end: number): Fields | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8', start, end));
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

function refuseCaseVariants(value: object, known: ReadonlySet<string>): void {
  // Array items have no names: comparing the index of each with the known names took ten times as long as parsing the message.
  if (Array.isArray(value)) {
    for (const item of value) refuseCaseVariantsIn(item, known);
    return;
  }
  for (const name in value) {
    if (caseVariantOf(name, known) !== null) {
      throw new Problem('invalid_request', 'The message has a field whose name is not spelled as the API spells it.');
    }
    refuseCaseVariantsIn(Reflect.get(value, name), known);
  }
}

function refuseCaseVariantsIn(value: unknown, known: ReadonlySet<string>): void {
  if (typeof value === 'object' && value !== null) refuseCaseVariants(value, known);
}
