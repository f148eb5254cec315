// Where the chunks of an answer that come in one turn are put together, to leave in one write.
//
// A piece of memory for each of them would have to be collected, which costs more than the copy. One place is enough for all answers, as
// they take turns: who has written it gives it back, unless the write still refers to it.

/** One read of upstream's, in chunks. */
const PLACE_BYTES = 66_560;
const HEX = Buffer.from('0123456789abcdef', 'latin1');
const CR = 13;
const LF = 10;
/** Eight digits and two line ends. */
const FRAMING_MAX_BYTES = 12;

let spare: Buffer | null = null;

export class ChunkPlace {
  readonly #buffer: Buffer;
  #length = 0;

  constructor() {
    this.#buffer = spare ?? Buffer.allocUnsafeSlow(PLACE_BYTES);
    spare = null;
  }

  /** Whether a chunk of so many bytes finds room behind what is there. */
  hasRoomFor(bytes: number): boolean {
    return this.#length + bytes + FRAMING_MAX_BYTES <= PLACE_BYTES;
  }

  /** Puts a chunk behind what is there. One of no bytes is the last one. */
  append(bytes: Buffer): void {
    const buffer = this.#buffer;
    let at = writeSize(buffer, this.#length, bytes.length);
    buffer.set(bytes, at);
    at += bytes.length;
    buffer[at] = CR;
    buffer[at + 1] = LF;
    this.#length = at + 2;
  }

  /** What is there, where it lies. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Nobody reads it any more. */
  release(): void {
    spare = this.#buffer;
  }
}

/** @returns where the chunk's data goes */
function writeSize(buffer: Buffer, start: number, size: number): number {
  let digits = 1;
  while (size >>> (4 * digits) > 0) digits += 1;
  for (let at = start + digits - 1, rest = size; at >= start; at -= 1, rest >>>= 4) {
    buffer[at] = HEX[rest & 15] as number; // 15 is the last of them
  }
  buffer[start + digits] = CR;
  buffer[start + digits + 1] = LF;
  return start + digits + 2;
}
