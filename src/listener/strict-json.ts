// JSON as the public routes and sockets take it, or the Problem that says what is wrong with it.
import { Problem } from '../errors/problems.ts';
import { DEPTH_MAX, type JsonFault, readStrictJson } from '../json/strict-json.ts';

/** Wider objects are of no use to any route, and cost time to walk. */
const KEYS_MAX = 100;
/** Of a body or message. An embedding has a few hundred; 250 kB of nothing but small objects took 60 ms to read. */
export const VALUES_MAX = 10_000;

/**
 * @param what the caller sent, in the words of the refusal
 * @throws Problem `invalid_request`, which says nothing of what it holds
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
