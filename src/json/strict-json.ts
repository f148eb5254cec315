// Accepts only JSON that every parser reads alike, for request bodies and the contents of tokens.
import { isUtf8 } from 'node:buffer';

export type StrictJson =
  | { readonly outcome: 'read'; readonly value: unknown }
  | { readonly outcome: 'refused'; readonly fault: JsonFault };

export type JsonFault =
  | 'not_json'
  | 'duplicate_key'
  | 'too_deep'
  | 'too_many_keys'
  | 'too_many_values'
  | 'reserved_key';

export interface StrictJsonLimits {
  /** Most members of one object. Default: no limit. */
  readonly keysMax?: number;
  /** Most values of all objects and lists together, checked before parsing. Default: no limit. */
  readonly valuesMax?: number;
}

export const DEPTH_MAX = 20;

/**
 * Refuses invalid UTF-8, a byte order mark, anything after the value, a name twice in one object (parsers differ in which they
 * keep), more than 20 levels, and the names `__proto__` and `constructor`, which later code could take for more than data.
 * @see RFC 8259 §4, RFC 8725 §2.4
 */
export function readStrictJson(bytes: Buffer, limits: StrictJsonLimits = {}): StrictJson {
  if (!isUtf8(bytes)) return refused('not_json');
  const text = bytes.toString('utf8');
  if (hasMoreValues(text, limits.valuesMax ?? Number.POSITIVE_INFINITY)) return refused('too_many_values');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('not_json');
  }
  const written = countWrittenMembers(text);
  if (written === null) return refused('too_deep');
  const census = { members: 0, fault: null, keysMax: limits.keysMax ?? Number.POSITIVE_INFINITY };
  takeCensus(value, census);
  if (census.fault !== null) return refused(census.fault);
  // JSON.parse silently keeps one of two equal names.
  return census.members === written ? { outcome: 'read', value } : refused('duplicate_key');
}

/** Reads strict JSON that has to be an object; `null` for anything else. */
export function readJsonObject(bytes: Buffer): Record<string, unknown> | null {
  const reading = readStrictJson(bytes);
  return reading.outcome === 'read' && isJsonObject(reading.value) ? reading.value : null;
}

export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a text that may be JSON has more than `max` values. Costs a twentieth of parsing them. */
export function hasMoreValues(text: string, max: number): boolean {
  if (text.length <= max) return false;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === COMMA || code === OPEN_BRACE || code === OPEN_BRACKET) {
      values += 1;
      if (values > max) return true;
    }
  }
  return false;
}

/** Counts the colons outside strings: one per member of valid JSON. `null` = nested too deeply. */
function countWrittenMembers(text: string): number | null {
  let members = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === COLON) members += 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth += 1;
      if (depth > DEPTH_MAX) return null;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth -= 1;
  }
  return members;
}

/** Index of the closing quote; past the end if there is none. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}

interface Census {
  /** Members that JSON.parse kept. */
  members: number;
  fault: JsonFault | null;
  readonly keysMax: number;
}

function takeCensus(value: unknown, census: Census): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) takeCensus(item, census);
    return;
  }
  const names = Object.keys(value);
  census.members += names.length;
  if (names.length > census.keysMax) census.fault ??= 'too_many_keys';
  for (const name of names) {
    if (name === '__proto__' || name === 'constructor') census.fault ??= 'reserved_key';
    takeCensus(Reflect.get(value, name), census);
  }
}

function refused(fault: JsonFault): StrictJson {
  return { outcome: 'refused', fault };
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
