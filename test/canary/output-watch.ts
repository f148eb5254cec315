// Collects what a broker puts out during a test, and looks for the test's secrets in it.
import type { Canary } from './canary.ts';
import { Detector, type Finding } from './detector.ts';

export interface Leak extends Finding {
  /** Which output: `log`, `answers`, `metrics`, `stdout`… */
  readonly source: string;
}

/** The one place where a minted token belongs: the first field of the answer to a mint. */
const TOKEN_FIELD = /((?:^|\r\n\r\n)\{"token":")([^"]+)(")/g;

export class OutputWatch {
  readonly #detector: Detector;
  readonly #outputs = new Map<string, Buffer[]>();

  /** @param depth how many nested encodings are undone; 2 is slow over megabytes */
  constructor(depth: 1 | 2 = 2) {
    this.#detector = new Detector(depth);
  }

  /** @param prefixLength leading characters that are not secret, such as those of `sk_car_` */
  add(canary: Canary, prefixLength = 0): void {
    this.#detector.add(canary, prefixLength);
  }

  record(source: string, output: string | Uint8Array): void {
    const bytes = typeof output === 'string' ? Buffer.from(output, 'utf8') : Buffer.from(output);
    const earlier = this.#outputs.get(source);
    if (earlier === undefined) this.#outputs.set(source, [bytes]);
    else earlier.push(bytes);
  }

  /** Bytes sent to a client. The tokens it was given become secrets, which may appear there and nowhere else. */
  recordAnswer(source: string, output: string | Uint8Array): void {
    const text = Buffer.from(output as Uint8Array).toString('latin1');
    const without = text.replace(TOKEN_FIELD, (_, before: string, token: string, after: string) => {
      this.add({ name: 'minted token', value: token });
      return before + after;
    });
    this.record(source, Buffer.from(without, 'latin1'));
  }

  /** How much each source put out, so that a test can tell a silent source from a clean one. */
  sizes(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#outputs].map(([source, parts]) => [source, Buffer.concat(parts).length]));
  }

  /** At most one leak for each secret and source, in the plainest form found. */
  leaks(): readonly Leak[] {
    return [...this.#outputs].flatMap(([source, parts]) => {
      const plainest = new Map<string, Leak>();
      for (const finding of this.#detector.search(Buffer.concat(parts))) {
        const known = plainest.get(finding.canary);
        if (known === undefined || known.forms.length > finding.forms.length)
          plainest.set(finding.canary, { ...finding, source });
      }
      return [...plainest.values()];
    });
  }

  /** @throws when anything leaked; the message names secret, source and form, and repeats none of the secret */
  assertClean(): void {
    const leaks = this.leaks();
    if (leaks.length === 0) return;
    const lines = leaks.map(({ canary, source, forms, before }) => {
      // Another secret may stand right before it.
      const place = JSON.stringify(before.replace(/[\w-]{12,}/g, '…'));
      return `${canary} in ${source}${forms.length === 0 ? '' : ` (${forms.join(' in ')})`} behind ${place}`;
    });
    throw new Error(`secrets leaked:\n${lines.join('\n')}`);
  }
}
