// Reads the frame headers of one direction and checks them against RFC 6455 and our limits. Does not look at payloads.
import { CONTROL_MAX_BYTES, OPCODE } from './frame.ts';

export interface FrameRules {
  /** Frames from a client are masked, those from a server are not (§5.1). */
  readonly masked: boolean;
  /** Maximum bytes of one message over all its frames, by kind. */
  readonly textMaxBytes: number;
  readonly binaryMaxBytes: number;
  readonly fragmentsMax: number;
}

/** Close codes for what a peer must not do. @see RFC 6455 §7.4.1 */
export const VIOLATION = { protocol: 1002, notUtf8: 1007, policy: 1008, tooBig: 1009 } as const;

/**
 * The header read last, in the fields of one reused object, because this runs for every frame. `read` parses a header once; call `next`
 * after the frame.
 */
export class FrameHeader {
  isFinal = false;
  opcode = 0;
  /** Length of the header itself; 0 = none was read yet. */
  headerBytes = 0;
  payloadBytes = 0;
  /** Whether the frame belongs to a text message, as its first frame or a later one. */
  isText = false;
  /** Whether the frame is one of several of a message. */
  isFragment = false;
  readonly #rules: FrameRules;
  #isMessageOpen = false;
  #isMessageText = false;
  #messageBytes = 0;
  #fragments = 0;

  constructor(rules: FrameRules) {
    this.#rules = rules;
  }

  get isControl(): boolean {
    return this.opcode >= OPCODE.close;
  }

  /** A message has begun and its last frame is not yet read: no other message may begin in between. */
  get isMessageOpen(): boolean {
    return this.#isMessageOpen;
  }

  get frameBytes(): number {
    return this.headerBytes + this.payloadBytes;
  }

  /** Where the mask is, counted from the frame's first byte. */
  get maskAt(): number {
    return this.headerBytes - 4;
  }

  /**
   * @returns 0: the header has been read, now or before. -1: more bytes are needed. Otherwise the code to close with
   */
  read(bytes: Uint8Array, at: number, end: number): number {
    if (this.headerBytes !== 0) return 0;
    if (end - at < 2) return -1;
    const first = bytes[at] as number; // within the bounds that were checked
    const second = bytes[at + 1] as number;
    const isMasked = second > 127;
    if ((first & 0x70) !== 0 || isMasked !== this.#rules.masked) return VIOLATION.protocol;
    const short = second & 127;
    const headerBytes = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (isMasked ? 4 : 0);
    const opcode = first & 15;
    const isFinal = first > 127;
    // Before the rest arrives: a peer that breaks a rule need not be waited for.
    if (opcode >= OPCODE.close ? !isFinal || short > CONTROL_MAX_BYTES || opcode > OPCODE.pong : opcode > OPCODE.binary)
      return VIOLATION.protocol;
    if (end - at < headerBytes) return -1;

    let payloadBytes = short;
    if (short === 126) {
      payloadBytes = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
      if (payloadBytes < 126) return VIOLATION.protocol;
    } else if (short === 127) {
      payloadBytes = longLength(bytes, at + 2);
      if (payloadBytes < 65_536) return VIOLATION.protocol;
    }
    this.isFinal = isFinal;
    this.opcode = opcode;
    this.payloadBytes = payloadBytes;
    if (opcode < OPCODE.close) {
      const violation = this.#countData();
      if (violation !== 0) return violation;
    }
    this.headerBytes = headerBytes;
    return 0;
  }

  /** The frame is finished; the next header may be read. */
  next(): void {
    this.headerBytes = 0;
  }

  #countData(): number {
    const isFirst = this.opcode !== OPCODE.continuation;
    if (isFirst === this.#isMessageOpen) return VIOLATION.protocol;
    if (isFirst) {
      this.#isMessageText = this.opcode === OPCODE.text;
      this.#messageBytes = 0;
      this.#fragments = 0;
    }
    this.isText = this.#isMessageText;
    this.isFragment = !isFirst || !this.isFinal;
    this.#messageBytes += this.payloadBytes;
    this.#fragments += 1;
    const { textMaxBytes, binaryMaxBytes, fragmentsMax } = this.#rules;
    if (this.#messageBytes > (this.isText ? textMaxBytes : binaryMaxBytes)) return VIOLATION.tooBig;
    if (this.#fragments > fragmentsMax) return VIOLATION.policy;
    this.#isMessageOpen = !this.isFinal;
    return 0;
  }
}

/** A length of 64 bits. What a number cannot represent exactly is beyond every limit anyway. The highest bit must not be set. */
function longLength(bytes: Uint8Array, at: number): number {
  if ((bytes[at] as number) > 127) return 0; // refused like a length that should have used a shorter form
  let length = 0;
  for (let i = 0; i < 8; i += 1) length = length * 256 + (bytes[at + i] as number);
  return length;
}
