// Parses the JSON that public routes and sockets accept, or throws the Problem that says what is wrong with it.
import { Problem } from '../errors/problems.ts';
import { DEPTH_MAX, type JsonFault, readStrictJson } from '../json/strict-json.ts';

/** No route needs wider objects, and they cost time to walk. */
const KEYS_MAX = 100;
/** Most values of a body or message. An embedding has a few hundred; 250 kB of nothing but small objects took 60 ms to read. */
export const VALUES_MAX = 10_000;

/**
 * @param what how the refusal names what the caller sent
 * @throws Problem `invalid_request`, which reveals nothing of the content
 */
export function parseStrictJson(bytes: Buffer, what: 'body' | 'message' = 'body'): unknown {
  if (bytes.length === 0) throw new Problem('invalid_request', `The ${what} is empty; send a JSON object.`);
  const reading = readStrictJson(bytes, { keysMax: KEYS_MAX, valuesMax: VALUES_MAX });
  if (reading.outcome === 'refused') throw new Problem('invalid_request', `The ${what} ${FAULTS[reading.fault]}.`);
  return reading.value;
}

const FAULTS: Readonly<Record<JsonFault, string>> = {
  not_json: 'is not valid JSON in UTF-8',
  duplicate_key: 'has the same field twice',
  too_deep: `is nested deeper than ${DEPTH_MAX} levels`,
  too_many_keys: `has an object with more than ${KEYS_MAX} fields`,
  too_many_values: `has more than ${VALUES_MAX} values`,
  reserved_key: 'has a field that is not allowed',
};
