// Processes upstream's frames: everything passes as it arrives, except that text messages are shown first and may be replaced, and control
// frames do not pass.
import { isUtf8 } from 'node:buffer';
import { makeFrame, makeTextFrame, OPCODE } from './frame.ts';
import { FrameHeader, type FrameRules, VIOLATION } from './frame-header.ts';
import { LARGE_BYTES } from './large-buffers.ts';
import { Utf8Check } from './utf8-check.ts';

export interface UpstreamFramesOwner {
  /** Whether frames are still wanted; asked before each. */
  readonly isOpen: boolean;
  /** Bytes for the client, in the buffer that they were read into unless they are our own. */
  passDown(bytes: Buffer): void;
  /** A complete text message, valid UTF-8. @returns what the client gets instead; `null` = the message unchanged */
  textDown(bytes: Buffer, start: number, end: number): string | null;
  /** @param payload valid only during the call */
  controlDown(opcode: number, payload: Buffer): void;
  /** Upstream broke a rule. @param code to close with */
  violationDown(code: number): void;
}

const MESSAGE_MAX_BYTES = 16 * 1024 * 1024;
const RULES: FrameRules = {
  masked: false,
  textMaxBytes: MESSAGE_MAX_BYTES,
  binaryMaxBytes: MESSAGE_MAX_BYTES,
  fragmentsMax: 1024,
};
/** A fragmented text message is inspected up to this size; a longer one passes unread. */
const FRAGMENTS_HELD_MAX_BYTES = 256 * 1024;

export class UpstreamFrames {
  readonly #owner: UpstreamFramesOwner;
  readonly #header = new FrameHeader(RULES);
  /** The bytes being read; those from `#from` to `#at` are to be passed on. */
  #bytes: Buffer | null = null;
  #from = 0;
  #at = 0;
  /** Bytes still to come of a frame that is too large to be inspected in one piece. */
  #left = 0;
  #utf8: Utf8Check | null = null;
  /** The client has some frames of a message, but not the last. */
  #isMidMessage = false;
  #held: Buffer[] | null = null;
  #heldBytes = 0;
  /** Frames of ours that wait for the end of upstream's frame or message. */
  #queue: Buffer[] | null = null;

  constructor(owner: UpstreamFramesOwner) {
    this.#owner = owner;
  }

  /** The client has part of a message, but not yet the rest, so no message of ours may come here. */
  get isMidMessage(): boolean {
    return this.#left > 0 || this.#isMidMessage;
  }

  /** Whether frames of ours wait for the end of upstream's frame or message. */
  get hasWaiting(): boolean {
    return this.#queue !== null;
  }

  /**
   * @param bytes from `start` to `end`: what was not taken the last time, and what has arrived since
   * @returns how far they were taken: up to the beginning of an incomplete frame
   */
  read(bytes: Buffer, start: number, end: number): number {
    this.#bytes = bytes;
    this.#from = start;
    this.#at = start;
    this.#walk(bytes, end);
    this.flush();
    this.#bytes = null;
    return this.#at;
  }

  /** Sends a frame of ours to the client: now, or after the frame or message that is under way. */
  send(frame: Buffer, isControl: boolean): void {
    if (this.#left > 0 || (this.#isMidMessage && !isControl)) {
      this.#queue ??= [];
      this.#queue.push(frame);
      return;
    }
    this.flush();
    this.#owner.passDown(frame);
  }

  flush(): void {
    if (this.#bytes === null || this.#from === this.#at) return;
    const passing = this.#bytes.subarray(this.#from, this.#at);
    this.#from = this.#at;
    this.#owner.passDown(passing);
  }

  #walk(bytes: Buffer, end: number): void {
    const header = this.#header;
    while (this.#owner.isOpen) {
      if (this.#left > 0) {
        if (!this.#passLarge(bytes, end)) return;
        continue;
      }
      const violation = header.read(bytes, this.#at, end);
      if (violation > 0) this.#owner.violationDown(violation);
      if (violation !== 0) return;
      const size = header.frameBytes;
      if (size > LARGE_BYTES) this.#beginLarge();
      else if (end - this.#at < size) return;
      else this.#take(bytes, this.#at + header.headerBytes, this.#at + size);
    }
  }

  /** Takes the complete frame that begins at `#at`. */
  #take(bytes: Buffer, start: number, end: number): void {
    const header = this.#header;
    if (header.isControl) {
      this.#skipTo(end);
      this.#owner.controlDown(header.opcode, bytes.subarray(start, end));
    } else if (!header.isText) {
      this.#isMidMessage = !header.isFinal;
      this.#at = end;
    } else if (header.isFragment) this.#takeFragment(bytes.subarray(start, end), end);
    else if (this.#isUtf8(bytes.subarray(start, end))) {
      const instead = this.#owner.textDown(bytes, start, end);
      if (instead === null) this.#at = end;
      else {
        this.#skipTo(end);
        this.#owner.passDown(makeTextFrame(instead, false));
      }
    }
    header.next();
    if (this.#queue !== null) this.#flushQueue();
  }

  #skipTo(end: number): void {
    this.flush();
    this.#from = end;
    this.#at = end;
  }

  /** Holds back the frames of a text message until all have arrived, as it may be an error. */
  #takeFragment(payload: Buffer, end: number): void {
    const { isFinal } = this.#header;
    if (this.#isMidMessage) {
      // The beginning has passed unread: so does the rest.
      if (!this.#checkPiece(payload, isFinal)) return;
      this.#isMidMessage = !isFinal;
      this.#at = end;
      return;
    }
    this.#held ??= [];
    this.#held.push(Buffer.from(payload));
    this.#heldBytes += payload.length;
    this.#skipTo(end);
    if (isFinal) this.#passHeld(this.#takeHeld());
    else if (this.#heldBytes > FRAGMENTS_HELD_MAX_BYTES) this.#passUnread(this.#takeHeld());
  }

  #takeHeld(): Buffer {
    const payload = Buffer.concat(this.#held ?? []);
    this.#held = null;
    this.#heldBytes = 0;
    return payload;
  }

  #passHeld(payload: Buffer): void {
    if (!this.#isUtf8(payload)) return;
    const instead = this.#owner.textDown(payload, 0, payload.length);
    this.#owner.passDown(instead === null ? makeFrame(OPCODE.text, payload, false) : makeTextFrame(instead, false));
  }

  /** Passes the beginning of a message that is too long to be held. */
  #passUnread(payload: Buffer): void {
    this.#utf8 = new Utf8Check();
    if (!this.#checkPiece(payload, false)) return;
    const frame = makeFrame(OPCODE.text, payload, false);
    frame[0] = OPCODE.text; // without FIN: more frames follow
    this.#owner.passDown(frame);
    this.#isMidMessage = true;
  }

  #beginLarge(): void {
    const header = this.#header;
    if (header.isText && this.#held !== null) {
      this.flush();
      this.#passUnread(this.#takeHeld());
    } else if (header.isText && !this.#isMidMessage) this.#utf8 = new Utf8Check();
    this.#at += header.headerBytes;
    this.#left = header.payloadBytes;
  }

  /** @returns whether the frame is finished */
  #passLarge(bytes: Buffer, end: number): boolean {
    const header = this.#header;
    const length = Math.min(this.#left, end - this.#at);
    if (length === 0) return false;
    const isLast = length === this.#left;
    if (header.isText && !this.#checkPiece(bytes.subarray(this.#at, this.#at + length), isLast && header.isFinal)) {
      return false;
    }
    this.#at += length;
    this.#left -= length;
    if (!isLast) return false;
    this.#isMidMessage = !header.isFinal;
    header.next();
    if (this.#queue !== null) this.#flushQueue();
    return true;
  }

  #flushQueue(): void {
    if (this.#queue === null || this.#isMidMessage) return;
    const queue = this.#queue;
    this.#queue = null;
    this.flush();
    for (const frame of queue) this.#owner.passDown(frame);
  }

  #isUtf8(payload: Buffer): boolean {
    if (isUtf8(payload)) return true;
    this.#owner.violationDown(VIOLATION.notUtf8);
    return false;
  }

  /** Checks a piece of a message that passes unread. */
  #checkPiece(piece: Buffer, isLast: boolean): boolean {
    if (this.#utf8 === null || (this.#utf8.push(piece) && (!isLast || this.#utf8.end()))) return true;
    this.#owner.violationDown(VIOLATION.notUtf8);
    return false;
  }
}
