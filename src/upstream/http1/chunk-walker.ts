// Walks a chunked body piece by piece: finds the data and the end, and refuses every deviation from the syntax.
import { malformed } from './answer-head.ts';

/** Receives what a piece contains. */
export interface ChunkSink {
  /** Data: all or part of a chunk. */
  onData(from: number, to: number): void;
  /**
   * One byte of an extension or a trailer. All other framing is in its plainest form, so the body without its surplus bytes is the same body
   * and can be passed on unchanged.
   */
  onSurplus(at: number): void;
}

/** Hexadecimal digits: chunks stay below 2^44 bytes, which is more than any response has. */
const SIZE_DIGITS_MAX = 11;
/** Limit on all extensions and trailers of a body together. */
const SURPLUS_MAX_BYTES = 16_384;
/** A well-formed trailer line; its content does not matter. */
const TRAILER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;

type State =
  | 'size'
  | 'extension-name'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer'
  | 'trailer-lf'
  | 'end';

/** @see RFC 9112 §7.1 */
export class ChunkWalker {
  #state: State = 'size';
  /** The current chunk's size while that is being read, then the number of its bytes still to come. */
  #left = 0;
  #digits = 0;
  #surplus = 0;
  #trailer = '';

  get isOver(): boolean {
    return this.#state === 'end';
  }

  /**
   * @returns the index after the last byte that belongs to the body
   * @throws UpstreamFailure `malformed`
   */
  walk(bytes: Buffer, from: number, to: number, sink: ChunkSink): number {
    let at = from;
    while (at < to) {
      switch (this.#state) {
        case 'size': {
          const byte = bytes[at] ?? 0;
          const digit = hexDigit(byte);
          if (digit >= 0) {
            this.#digits += 1;
            if (this.#digits > SIZE_DIGITS_MAX) throw malformed('chunk size');
            this.#left = this.#left * 16 + digit;
          } else if (this.#digits === 0) throw malformed('chunk size');
          else if (byte === CR) this.#state = 'size-lf';
          else if (byte === SEMICOLON) {
            this.#spend(sink, at);
            this.#state = 'extension-name';
          } else throw malformed('chunk size');
          at += 1;
          break;
        }
        case 'extension-name': // the name after a semicolon has at least one character
          if (!isTokenByte(bytes[at] ?? 0)) throw malformed('chunk extension');
          this.#spend(sink, at);
          this.#state = 'extension';
          at += 1;
          break;
        case 'extension': {
          const byte = bytes[at] ?? 0;
          if (byte === CR) this.#state = 'size-lf';
          else if (isExtensionByte(byte)) {
            this.#spend(sink, at);
            if (byte === SEMICOLON) this.#state = 'extension-name';
          } else throw malformed('chunk extension');
          at += 1;
          break;
        }
        case 'size-lf':
          if (bytes[at] !== LF) throw malformed('chunk size');
          at += 1;
          this.#digits = 0;
          this.#state = this.#left > 0 ? 'data' : 'trailer';
          break;
        case 'data': {
          const end = Math.min(to, at + this.#left);
          sink.onData(at, end);
          this.#left -= end - at;
          at = end;
          if (this.#left === 0) this.#state = 'data-cr';
          break;
        }
        case 'data-cr':
          if (bytes[at] !== CR) throw malformed('chunk data');
          at += 1;
          this.#state = 'data-lf';
          break;
        case 'data-lf':
          if (bytes[at] !== LF) throw malformed('chunk data');
          at += 1;
          this.#state = 'size';
          break;
        case 'trailer': {
          const byte = bytes[at] ?? 0;
          if (byte === CR) {
            this.#state = 'trailer-lf';
            if (this.#trailer !== '') this.#spend(sink, at);
          } else {
            this.#spend(sink, at);
            this.#trailer += String.fromCharCode(byte);
          }
          at += 1;
          break;
        }
        case 'trailer-lf':
          if (bytes[at] !== LF) throw malformed('trailer');
          if (this.#trailer === '') {
            this.#state = 'end';
            return at + 1;
          }
          this.#spend(sink, at);
          at += 1;
          if (!TRAILER.test(this.#trailer)) throw malformed('trailer');
          this.#trailer = '';
          this.#state = 'trailer';
          break;
        case 'end':
          return at;
      }
    }
    return at;
  }

  #spend(sink: ChunkSink, at: number): void {
    this.#surplus += 1;
    if (this.#surplus > SURPLUS_MAX_BYTES) throw malformed('chunk extensions or trailers');
    sink.onSurplus(at);
  }
}

/** Token characters, `=` and `;`: names with and without values. Quoted values, which nobody sends, are refused. */
function isExtensionByte(byte: number): boolean {
  return byte === SEMICOLON || byte === EQUALS || isTokenByte(byte);
}

function isTokenByte(byte: number): boolean {
  return TOKEN.test(String.fromCharCode(byte));
}

const EQUALS = 0x3d;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/;

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
