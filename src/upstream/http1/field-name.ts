// Names of header fields.

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Those that were found good: the same few come with every message. */
const known = new Set<string>();
const KNOWN_MAX = 128;

/** @see RFC 9110 §5.1 (a token) */
export function isName(text: string): boolean {
  if (known.has(text)) return true;
  if (!NAME.test(text)) return false;
  // A copy: a part of a head would keep the whole of it in memory.
  if (known.size < KNOWN_MAX) known.add(Buffer.from(text, 'latin1').toString('latin1'));
  return true;
}
