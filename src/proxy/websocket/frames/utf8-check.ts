// UTF-8 across pieces: for text that is too long to be looked at in one.
import { isUtf8 } from 'node:buffer';

/** Holds at most the three bytes that a character may still be short of. */
export class Utf8Check {
  #rest: Buffer = NOTHING;

  /** @returns whether everything so far can be UTF-8 */
  push(piece: Uint8Array): boolean {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const whole = bytes.length - unfinished(bytes);
    this.#rest = whole === bytes.length ? NOTHING : Buffer.from(bytes.subarray(whole));
    return isUtf8(bytes.subarray(0, whole));
  }

  /** @returns whether the text ended with a whole character; begins anew */
  end(): boolean {
    const isWhole = this.#rest.length === 0;
    this.#rest = NOTHING;
    return isWhole;
  }
}

const NOTHING = Buffer.alloc(0);

/** Bytes at the end that begin a character whose rest has not come. */
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
