// Finds a secret in any output, whole or in part, plain or encoded.
//
// Rather than writing the secret in every possible way, the output is read in every possible way: as it is, percent-decoded,
// JSON-unescaped, and each run of hex or base64 digits decoded at every alignment. One decoding may hide another, so two in a
// row are tried. What is searched for is any part of twelve characters.
import type { Canary } from './canary.ts';

/** How the output had to be read for the secret to show. */
export type Form = 'raw' | 'percent' | 'json' | 'hex' | 'base64';

export interface Finding {
  readonly canary: string;
  /** Outermost first; empty = in the clear. */
  readonly forms: readonly Form[];
  /** What stands before it. Not the secret: findings are printed. */
  readonly before: string;
}

/** Random parts of this length do not occur by chance, and what is shorter opens nothing. */
const WINDOW = 12;
/** Wherever a window lies, this many of its bytes begin at a multiple of the stride. So a look at those few finds where it may be. */
const PROBE = 4;
const STRIDE = WINDOW - PROBE + 1;
const SIGNED_TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

export class Detector {
  readonly #windows = new Map<string, string>();
  /** By `hashOf`: 1 where some window has such bytes. */
  readonly #probes = new Uint8Array(65_536);
  readonly #known = new Set<string>();
  readonly #depth: number;

  /** @param depth how many encodings of one another are undone */
  constructor(depth = 2) {
    this.#depth = depth;
  }

  /** Its first characters count only together with random ones: prefixes such as `sk_car_` are no secret. */
  add({ name, value }: Canary, prefixLength = 0): void {
    if (this.#known.has(value)) return;
    this.#known.add(value);
    const bytes = Buffer.from(value, 'utf8');
    // The head of a signed token is the same for all, and much of its claims is public: its signature is what makes it good.
    const start = SIGNED_TOKEN.test(value) ? value.lastIndexOf('.') : Math.max(0, prefixLength - WINDOW + 4);
    for (let at = start; at + WINDOW <= bytes.length; at += 1) {
      this.#windows.set(bytes.toString('latin1', at, at + WINDOW), name);
      for (let probe = at; probe < at + STRIDE; probe += 1) this.#probes[hashOf(bytes, probe)] = 1;
    }
  }

  /** @param output bytes, or text as it was written. At most one finding for each canary and form. */
  search(output: Uint8Array | string): readonly Finding[] {
    const bytes = typeof output === 'string' ? Buffer.from(output, 'utf8') : Buffer.from(output);
    const findings = new Map<string, Finding>();
    this.#read(bytes, [], findings);
    return [...findings.values()];
  }

  #read(bytes: Buffer, forms: readonly Form[], findings: Map<string, Finding>): void {
    if (bytes.length < WINDOW) return;
    this.#slide(bytes, forms, findings);
    if (forms.length === this.#depth) return;
    const text = bytes.toString('latin1');
    const read = (decoded: Buffer, form: Form): void => this.#read(decoded, [...forms, form], findings);
    if (text.includes('%')) read(Buffer.from(percentDecoded(text), 'latin1'), 'percent');
    if (text.includes('\\')) read(Buffer.from(jsonUnescaped(text), 'latin1'), 'json');
    for (const [run] of text.matchAll(/(?:[0-9a-f]{2}[: ]?){12,}/gi)) {
      const digits = run.replace(/[: ]/g, '');
      for (const from of [0, 1]) read(Buffer.from(digits.slice(from), 'hex'), 'hex');
    }
    for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{16,}/g)) {
      for (const from of [0, 1, 2, 3]) read(Buffer.from(run.slice(from), 'base64'), 'base64');
    }
  }

  #slide(bytes: Buffer, forms: readonly Form[], findings: Map<string, Finding>): void {
    for (let probe = 0; probe + PROBE <= bytes.length; probe += STRIDE) {
      if (this.#probes[hashOf(bytes, probe)] === 0) continue;
      for (let at = Math.max(0, probe - STRIDE + 1); at <= probe; at += 1) this.#look(bytes, at, forms, findings);
    }
  }

  #look(bytes: Buffer, at: number, forms: readonly Form[], findings: Map<string, Finding>): void {
    const name = this.#windows.get(bytes.toString('latin1', at, at + WINDOW));
    if (name === undefined) return;
    const key = `${name} ${forms.join()}`;
    if (findings.has(key)) return;
    findings.set(key, { canary: name, forms, before: bytes.toString('latin1', Math.max(0, at - 60), at) });
  }
}

/** Of the four bytes there; below 65,536. */
function hashOf(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return Math.imul(a | (b << 8) | (c << 16) | (d << 24), 0x9e3779b1) >>> 16;
}

function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Bytes again: `\u00e9` is the character whose UTF-8 the secret holds. */
function jsonUnescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-f]{4})|(["\\/bfnrt]))/gi, (_, hex: string | undefined, char: string) => {
    if (hex !== undefined) return Buffer.from(String.fromCharCode(Number.parseInt(hex, 16)), 'utf8').toString('latin1');
    return ESCAPES[char] ?? char;
  });
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
