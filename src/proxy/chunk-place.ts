// Gathers the chunks of a response that arrive in one turn, so that they are sent in one write.
//
// Separate memory for each chunk would have to be garbage-collected, which costs more than the copy. One buffer is enough for all responses,
// because they take turns: after the write it is given back, unless the write still refers to it.

/** Room for one read from upstream (64 KiB) with its framing. */
const PLACE_BYTES = 66_560;
const HEX = Buffer.from('0123456789abcdef', 'latin1');
const CR = 13;
const LF = 10;
/** Of one chunk: eight digits and two line ends. */
const FRAMING_MAX_BYTES = 12;

let spare: Buffer | null = null;

export class ChunkPlace {
  readonly #buffer: Buffer;
  #length = 0;

  constructor() {
    this.#buffer = spare ?? Buffer.allocUnsafeSlow(PLACE_BYTES);
    spare = null;
  }

  /** Whether a chunk with this many bytes of data still fits. */
  hasRoomFor(bytes: number): boolean {
    return this.#length + bytes + FRAMING_MAX_BYTES <= PLACE_BYTES;
  }

  /** Appends a chunk. An empty one is the last chunk of a body. */
  append(bytes: Buffer): void {
    const buffer = this.#buffer;
    let at = writeSize(buffer, this.#length, bytes.length);
    buffer.set(bytes, at);
    at += bytes.length;
    buffer[at] = CR;
    buffer[at + 1] = LF;
    this.#length = at + 2;
  }

  /** What was gathered, not copied. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Gives the buffer back: nothing refers to it any more. */
  release(): void {
    spare = this.#buffer;
  }
}

/** @returns where the chunk's data goes */
function writeSize(buffer: Buffer, start: number, size: number): number {
  let digits = 1;
  while (size >>> (4 * digits) > 0) digits += 1;
  for (let at = start + digits - 1, rest = size; at >= start; at -= 1, rest >>>= 4) {
    buffer[at] = HEX[rest & 15] as number; // the last index is 15
  }
  buffer[start + digits] = CR;
  buffer[start + digits + 1] = LF;
  return start + digits + 2;
}
