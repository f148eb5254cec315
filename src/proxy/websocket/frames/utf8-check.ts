// Validates UTF-8 piece by piece, for text that is too long to be inspected at once.
import { isUtf8 } from 'node:buffer';

/** Holds at most three bytes: the beginning of a character whose rest has not arrived. */
export class Utf8Check {
  #rest: Buffer = NOTHING;

  /** @returns whether everything so far can be UTF-8 */
  push(piece: Uint8Array): boolean {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const whole = bytes.length - unfinished(bytes);
    this.#rest = whole === bytes.length ? NOTHING : Buffer.from(bytes.subarray(whole));
    return isUtf8(bytes.subarray(0, whole));
  }

  /** @returns whether the text ended with a complete character; resets the check */
  end(): boolean {
    const isWhole = this.#rest.length === 0;
    this.#rest = NOTHING;
    return isWhole;
  }
}

const NOTHING = Buffer.alloc(0);

/** Number of bytes at the end that begin a character whose rest has not arrived. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] as number; // within the bounds of the loop
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needed > back ? back : 0;
    }
  }
  return 0;
}
