// Finds a secret in any output, whole or in part, plain or encoded.
//
// Rather than encode the secret in every possible way, the detector decodes the output in every possible way: as it is,
// percent-decoded, JSON-unescaped, and with each run of hex or base64 digits decoded at every alignment. Encodings may be nested, so
// two in a row are undone. Any twelve-character part of a secret counts.
import type { Canary } from './canary.ts';

/** How the output had to be decoded for the secret to show. */
export type Form = 'raw' | 'percent' | 'json' | 'hex' | 'base64';

export interface Finding {
  readonly canary: string;
  /** Outermost first; empty if in the clear. */
  readonly forms: readonly Form[];
  /** The text before it, never the secret itself: findings are printed. */
  readonly before: string;
}

/** Random parts of this length do not match by chance, and shorter parts are of no use to an attacker. */
const WINDOW = 12;
/** Every window contains this many bytes that start at a multiple of STRIDE, so probing only those places finds every candidate. */
const PROBE = 4;
const STRIDE = WINDOW - PROBE + 1;
const SIGNED_TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

export class Detector {
  readonly #windows = new Map<string, string>();
  /** Indexed by `hashOf`: 1 if bytes with that hash occur in some window. */
  readonly #probes = new Uint8Array(65_536);
  readonly #known = new Set<string>();
  readonly #depth: number;

  /** @param depth how many nested encodings are undone */
  constructor(depth = 2) {
    this.#depth = depth;
  }

  /** The first `prefixLength` characters count only together with random ones: a prefix such as `sk_car_` is not secret. */
  add({ name, value }: Canary, prefixLength = 0): void {
    if (this.#known.has(value)) return;
    this.#known.add(value);
    const bytes = Buffer.from(value, 'utf8');
    // All signed tokens share the same header, and many of their claims are public; only the signature makes a token usable.
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

/** Hash of the four bytes at that place; below 65,536. */
function hashOf(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return Math.imul(a | (b << 8) | (c << 16) | (d << 24), 0x9e3779b1) >>> 16;
}

function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Returns bytes: `\u00e9` becomes the UTF-8 bytes of that character, as in the secret. */
function jsonUnescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-f]{4})|(["\\/bfnrt]))/gi, (_, hex: string | undefined, char: string) => {
    if (hex !== undefined) return Buffer.from(String.fromCharCode(Number.parseInt(hex, 16)), 'utf8').toString('latin1');
    return ESCAPES[char] ?? char;
  });
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
