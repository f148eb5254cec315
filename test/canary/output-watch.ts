// Collects what a broker puts out during a test, and looks for the test's secrets in it.
import type { Canary } from './canary.ts';
import { Detector, type Finding } from './detector.ts';

export interface Leak extends Finding {
  /** Which output: `log`, `answers`, `metrics`, `stdout`… */
  readonly source: string;
}

/** The one place where a minted token belongs. */
const TOKEN_FIELD = /("token":")([^"]+)(")/g;

export class OutputWatch {
  readonly #detector = new Detector();
  readonly #outputs = new Map<string, Buffer[]>();

  /** @param prefixLength characters at the front that are no secret, such as those of `sk_car_` */
  add(canary: Canary, prefixLength = 0): void {
    this.#detector.add(canary, prefixLength);
  }

  record(source: string, output: string | Uint8Array): void {
    const bytes = typeof output === 'string' ? Buffer.from(output, 'utf8') : Buffer.from(output);
    const earlier = this.#outputs.get(source);
    if (earlier === undefined) this.#outputs.set(source, [bytes]);
    else earlier.push(bytes);
  }

  /** Bytes that went to a client. Tokens that it was given become secrets, which may stand there and nowhere else. */
  recordAnswer(source: string, output: string | Uint8Array): void {
    const text = Buffer.from(output as Uint8Array).toString('latin1');
    const without = text.replace(TOKEN_FIELD, (_, before: string, token: string, after: string) => {
      this.add({ name: 'minted token', value: token });
      return before + after;
    });
    this.record(source, Buffer.from(without, 'latin1'));
  }

  /** Sources and how much they put out, so that a test can tell a silent source from a clean one. */
  sizes(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#outputs].map(([source, parts]) => [source, Buffer.concat(parts).length]));
  }

  leaks(): readonly Leak[] {
    return [...this.#outputs].flatMap(([source, parts]) =>
      this.#detector.search(Buffer.concat(parts)).map((finding) => ({ ...finding, source })),
    );
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
