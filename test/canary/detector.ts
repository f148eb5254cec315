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
const SIGNED_TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

export class Detector {
  readonly #windows = new Map<string, string>();
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
    const text = Buffer.from(value, 'utf8').toString('latin1');
    // The head of a signed token is the same for all, and much of its claims is public: its signature is what makes it good.
    const start = SIGNED_TOKEN.test(value) ? value.lastIndexOf('.') : Math.max(0, prefixLength - WINDOW + 4);
    for (let at = start; at + WINDOW <= text.length; at += 1) {
      this.#windows.set(text.slice(at, at + WINDOW), name);
    }
  }

  /** @param output bytes, or text as it was written. At most one finding for each canary and form. */
  search(output: Uint8Array | string): readonly Finding[] {
    const bytes = typeof output === 'string' ? Buffer.from(output, 'utf8') : Buffer.from(output);
    const findings = new Map<string, Finding>();
    this.#read(bytes.toString('latin1'), [], findings);
    return [...findings.values()];
  }

  #read(text: string, forms: readonly Form[], findings: Map<string, Finding>): void {
    this.#slide(text, forms, findings);
    if (forms.length === this.#depth) return;
    if (text.includes('%')) this.#read(percentDecoded(text), [...forms, 'percent'], findings);
    if (text.includes('\\')) this.#read(jsonUnescaped(text), [...forms, 'json'], findings);
    for (const [run] of text.matchAll(/(?:[0-9a-f]{2}[: ]?){12,}/gi)) {
      const digits = run.replace(/[: ]/g, '');
      for (const from of [0, 1])
        this.#read(Buffer.from(digits.slice(from), 'hex').toString('latin1'), [...forms, 'hex'], findings);
    }
    for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{16,}/g)) {
      for (const from of [0, 1, 2, 3])
        this.#read(Buffer.from(run.slice(from), 'base64').toString('latin1'), [...forms, 'base64'], findings);
    }
  }

  #slide(text: string, forms: readonly Form[], findings: Map<string, Finding>): void {
    for (let at = 0; at + WINDOW <= text.length; at += 1) {
      const name = this.#windows.get(text.slice(at, at + WINDOW));
      if (name === undefined) continue;
      const key = `${name} ${forms.join()}`;
      if (!findings.has(key)) findings.set(key, { canary: name, forms, before: text.slice(Math.max(0, at - 60), at) });
    }
  }
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
