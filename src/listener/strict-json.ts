// A JSON body as the public routes take it, or the Problem that says what is wrong with it.
import { Problem } from '../errors/problems.ts';
import { DEPTH_MAX, type JsonFault, readStrictJson } from '../json/strict-json.ts';

/** Wider objects are of no use to any route, and cost time to walk. */
const KEYS_MAX = 100;

/** @throws Problem `invalid_request`, which says nothing of what the body holds */
export function parseStrictJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new Problem('invalid_request', 'The body is empty; send a JSON object.');
  const reading = readStrictJson(bytes, { keysMax: KEYS_MAX });
  if (reading.outcome === 'refused') throw new Problem('invalid_request', MESSAGES[reading.fault]);
  return reading.value;
}

const MESSAGES: Readonly<Record<JsonFault, string>> = {
  not_json: 'The body is not valid JSON in UTF-8.',
  duplicate_key: 'The body has the same field twice.',
  too_deep: `The body is nested deeper than ${DEPTH_MAX} levels.`,
  too_many_keys: `An object of the body has more than ${KEYS_MAX} fields.`,
  reserved_key: 'The body has a field that is not allowed.',
};
