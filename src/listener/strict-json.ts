// JSON as the public routes take it: what could be read in two ways is refused.
import { Problem } from '../errors/problems.ts';

/** Deeper or wider bodies are of no use to any route, and cost time to walk. */
const DEPTH_MAX = 20;
const KEYS_MAX = 100;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Refuses invalid UTF-8, a byte order mark, anything after the value, duplicate keys, more than 20 levels, more than
 * 100 keys in an object, and the keys `__proto__` and `constructor`, which some later reader could take for more than data.
 * @throws Problem `invalid_request`
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) throw new Problem('invalid_request', 'The body is empty; send a JSON object.');
  let text: string;
  let value: unknown;
  try {
    text = decoder.decode(bytes);
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the body.
    throw new Problem('invalid_request', 'The body is not valid JSON in UTF-8.');
  }
  checkShape(text);
  return value;
}

/**
 * Walks a text that JSON.parse has taken, so it may trust the grammar. JSON.parse itself keeps the last of two equal keys
 * and says nothing, and another reader of the same bytes might keep the first.
 */
function checkShape(text: string): void {
  const open: (Set<string> | null)[] = []; // a set of keys for an object, null for an array
  let at = 0;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      const end = endOfString(text, at);
      const keys = open.at(-1);
      if (keys && isKey(text, end)) addKey(keys, text.slice(at, end));
      at = end;
      continue;
    }
    if (char === OPEN_OBJECT || char === OPEN_ARRAY) {
      open.push(char === OPEN_OBJECT ? new Set() : null);
      if (open.length > DEPTH_MAX)
        throw new Problem('invalid_request', `The body is nested deeper than ${DEPTH_MAX} levels.`);
    } else if (char === CLOSE_OBJECT || char === CLOSE_ARRAY) open.pop();
    at += 1;
  }
}

function addKey(keys: Set<string>, quoted: string): void {
  const key = String(JSON.parse(quoted)); // "a" and "\u0061" are the same key
  if (key === '__proto__' || key === 'constructor')
    throw new Problem('invalid_request', 'The body has a field that is not allowed.');
  if (keys.has(key)) throw new Problem('invalid_request', 'The body has the same field twice.');
  keys.add(key);
  if (keys.size > KEYS_MAX)
    throw new Problem('invalid_request', `An object of the body has more than ${KEYS_MAX} fields.`);
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (; text.charCodeAt(at) !== QUOTE; at += 1) if (text.charCodeAt(at) === BACKSLASH) at += 1;
  return at + 1;
}

/** A string is a key when the next thing behind it is a colon. */
function isKey(text: string, end: number): boolean {
  let at = end;
  while (text.charCodeAt(at) <= SPACE) at += 1;
  return text.charCodeAt(at) === COLON;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COLON = 0x3a;
const SPACE = 0x20;
