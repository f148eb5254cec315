// JSON as a token may carry it: an object that reads the same in every parser.
import { isUtf8 } from 'node:buffer';

const MAX_DEPTH = 20;

/**
 * Parses a JSON object strictly: valid UTF-8 without a byte order mark, no member name twice in one object (parsers
 * differ in which of the two they keep), at most 20 levels deep.
 * @returns `null` for anything else
 * @see RFC 8725 §2.4, RFC 7519 §4 (claim names must be unique)
 */
export function parseJsonObject(bytes: Buffer): Record<string, unknown> | null {
  if (!isUtf8(bytes)) return null;
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isJsonObject(value)) return null;
  const written = countWrittenMembers(text);
  return written !== null && written === countMembers(value) ? value : null;
}

export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Colons outside of strings: one for every member of valid JSON. `null` = nested too deeply. */
function countWrittenMembers(text: string): number | null {
  let members = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === COLON) members += 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth += 1;
      if (depth > MAX_DEPTH) return null;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth -= 1;
  }
  return members;
}

/** Index of the closing quote. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text.charCodeAt(i) !== QUOTE) i += text.charCodeAt(i) === BACKSLASH ? 2 : 1;
  return i;
}

/** Members that JSON.parse kept: fewer than were written when a name came twice. */
function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inner = Object.values(value);
  let members = Array.isArray(value) ? 0 : inner.length;
  for (const item of inner) members += countMembers(item);
  return members;
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
