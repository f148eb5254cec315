// Processes a client's frames: audio passes as it arrives, text messages are shown complete before they pass, control frames do not pass.
import { isUtf8 } from 'node:buffer';
import { OPCODE, unmask } from './frame.ts';
import { FrameHeader, type FrameRules, VIOLATION } from './frame-header.ts';

export interface ClientFramesOwner {
  /** Whether frames are still wanted; asked before each. */
  readonly isListening: boolean;
  /** Bytes for upstream: whole frames, or pieces of an audio frame. */
  passUp(bytes: Buffer): void;
  /**
   * A complete text message, valid UTF-8. @param payload valid only during the call. @param keep copies its frames
   * @returns whether it passes
   */
  textUp(payload: Buffer, keep: () => Buffer): boolean;
  /** A binary frame begins. @returns whether it passes */
  binaryUp(isFirst: boolean): boolean;
  /** This many bytes of its payload pass. They may be fewer than its header announced. */
  payloadUp(bytes: number): void;
  /** @param payload valid only during the call */
  controlUp(opcode: number, payload: Buffer): void;
  /** The client broke a rule. @param code to close with */
  violationUp(code: number): void;
}

/** The longest text message that a client may send; it is held until it is complete. */
const CLIENT_TEXT_MAX_BYTES = 256 * 1024;
/** Audio is usually sent in pieces of a tenth of a second, a few kilobytes. */
const CLIENT_BINARY_MAX_BYTES = 1024 * 1024;
const CLIENT_FRAGMENTS_MAX = 128;
/**
 * Frames that are processed before the client waits for another turn of the event loop; a kilobyte of text counts as one more. A read of 64 kB
 * may contain ten thousand frames, a turn brings up to 32 such reads, and each frame may need a reply: without a bound, one client made all
 * others wait for seconds.
 */
const TURN_MAX = 64;

const RULES: FrameRules = {
  masked: true,
  textMaxBytes: CLIENT_TEXT_MAX_BYTES,
  binaryMaxBytes: CLIENT_BINARY_MAX_BYTES,
  fragmentsMax: CLIENT_FRAGMENTS_MAX,
};

const NOTHING: Buffer = Buffer.alloc(0);
/** Shared by all sockets: each message is unmasked, read and done with before the next one. */
const scratch = Buffer.allocUnsafeSlow(CLIENT_TEXT_MAX_BYTES);

interface Fragments {
  readonly frames: Buffer[];
  readonly payloads: Buffer[];
}

export class ClientFrames {
  readonly #owner: ClientFramesOwner;
  readonly #header = new FrameHeader(RULES);
  /** The bytes being read; those from `#from` to `#at` are to be passed on. */
  #bytes = NOTHING;
  #from = 0;
  #at = 0;
  /** Payload bytes of a binary frame still to come, and whether the frame is dropped. */
  #left = 0;
  #isDropped = false;
  /** A frame that must be complete, and how many of its bytes have arrived. */
  #whole: Buffer | null = null;
  #wholeBytes = 0;
  /** An incomplete header, or what waits for another turn. */
  #rest: Buffer | null = null;
  /** Frames that may still be processed before another turn. */
  #inTurn = TURN_MAX;
  #fragments: Fragments | null = null;
  /** Frames of ours that wait for the end of a frame of the client's. */
  #queue: Buffer[] | null = null;

  constructor(owner: ClientFramesOwner) {
    this.#owner = owner;
  }

  /** Upstream has part of a frame, but not yet the rest. */
  get isMidFrame(): boolean {
    return this.#left > 0 && !this.#isDropped;
  }

  /** This turn's share is used up: the client should not be read before `readOn` was called in another turn. */
  get isSpent(): boolean {
    return this.#inTurn <= 0;
  }

  /** Whether frames of ours wait for the end of a frame of the client's. */
  get hasWaiting(): boolean {
    return this.#queue !== null;
  }

  push(chunk: Buffer): void {
    const rest = this.#rest;
    const bytes = rest === null ? chunk : Buffer.concat([rest, chunk]);
    if (this.isSpent) this.#rest = bytes;
    else this.#read(bytes);
  }

  /** Continues with what has arrived, in a new turn. */
  readOn(): void {
    this.#inTurn = TURN_MAX;
    if (this.#rest !== null) this.#read(this.#rest);
  }

  /** Sends a frame of ours to upstream: now, or after the frame that is under way. */
  send(frame: Buffer): void {
    if (this.isMidFrame) {
      this.#queue ??= [];
      this.#queue.push(frame);
      return;
    }
    this.flush();
    this.#owner.passUp(frame);
  }

  /** Passes on what was found valid so far. */
  flush(): void {
    if (this.#from === this.#at) return;
    const passing = this.#bytes.subarray(this.#from, this.#at);
    this.#from = this.#at;
    this.#owner.passUp(passing);
  }

  #read(bytes: Buffer): void {
    this.#inTurn = TURN_MAX;
    this.#rest = null;
    this.#bytes = bytes;
    this.#from = 0;
    this.#at = 0;
    this.#walk(bytes, bytes.length);
    this.flush();
    this.#bytes = NOTHING;
    if (this.#owner.isListening) return;
    this.#rest = null;
    this.#inTurn = TURN_MAX;
  }

  #walk(bytes: Buffer, end: number): void {
    const header = this.#header;
    while (this.#owner.isListening) {
      if (this.#left > 0) {
        if (!this.#passBinary(end)) return;
      } else if (this.#whole !== null) {
        if (!this.#fill(this.#whole, bytes, end)) return;
      } else if (this.isSpent) {
        if (this.#at < end) this.#rest = bytes.subarray(this.#at);
        return;
      } else {
        const violation = header.read(bytes, this.#at, end);
        if (violation > 0) this.#owner.violationUp(violation);
        if (violation < 0 && this.#at < end) this.#keepRest(bytes, end);
        if (violation !== 0) return;
        if (!header.isControl && !header.isText) this.#beginBinary();
        else if (end - this.#at < header.frameBytes) this.#beginWhole();
        else this.#takeWhole(bytes);
      }
    }
  }

  #keepRest(bytes: Buffer, end: number): void {
    this.flush();
    this.#rest = Buffer.from(bytes.subarray(this.#at, end));
  }

  #beginBinary(): void {
    const header = this.#header;
    const passes = this.#owner.binaryUp(header.opcode === OPCODE.binary);
    this.#isDropped = !passes;
    this.#inTurn -= 1;
    if (!passes) this.flush();
    this.#at += header.headerBytes;
    if (!passes) this.#from = this.#at;
    this.#left = header.payloadBytes;
    if (this.#left === 0) header.next();
  }

  /** @returns whether the frame is finished */
  #passBinary(end: number): boolean {
    const length = Math.min(this.#left, end - this.#at);
    if (length === 0) return false;
    this.#at += length;
    this.#left -= length;
    if (this.#isDropped) this.#from = this.#at;
    else this.#owner.payloadUp(length);
    if (this.#left > 0) return false;
    this.#header.next();
    if (this.#queue !== null) this.#flushQueue(this.#queue);
    return true;
  }

  #flushQueue(queue: readonly Buffer[]): void {
    this.#queue = null;
    this.flush();
    for (const frame of queue) this.#owner.passUp(frame);
  }

  #beginWhole(): void {
    this.flush();
    this.#whole = Buffer.allocUnsafeSlow(this.#header.frameBytes);
    this.#wholeBytes = 0;
  }

  /** @returns whether the frame is finished */
  #fill(whole: Buffer, bytes: Buffer, end: number): boolean {
    const length = Math.min(whole.length - this.#wholeBytes, end - this.#at);
    bytes.copy(whole, this.#wholeBytes, this.#at, this.#at + length);
    this.#wholeBytes += length;
    this.#at += length;
    this.#from = this.#at;
    if (this.#wholeBytes < whole.length) return false;
    this.#whole = null;
    if (this.#passes(whole, 0)) this.#owner.passUp(whole);
    this.#header.next();
    return true;
  }

  /** Takes a frame that is complete in what was read. */
  #takeWhole(bytes: Buffer): void {
    const next = this.#at + this.#header.frameBytes;
    const passes = this.#passes(bytes, this.#at);
    if (!passes) this.flush();
    this.#at = next;
    if (!passes) this.#from = next;
    this.#header.next();
  }

  /** Whether a complete control or text frame passes unchanged. */
  #passes(bytes: Buffer, at: number): boolean {
    const header = this.#header;
    const { headerBytes, payloadBytes, frameBytes } = header;
    this.#inTurn -= 1 + (payloadBytes >> 10);
    unmask(bytes, at + header.maskAt, bytes, at + headerBytes, 0, payloadBytes, scratch);
    const payload = scratch.subarray(0, payloadBytes);
    if (header.isControl) {
      this.#owner.controlUp(header.opcode, payload);
      return false;
    }
    if (header.isFragment) {
      this.#addFragment(bytes.subarray(at, at + frameBytes), payload);
      return false;
    }
    return this.#isUtf8(payload) && this.#owner.textUp(payload, () => Buffer.from(bytes.subarray(at, at + frameBytes)));
  }

  #addFragment(frame: Buffer, payload: Buffer): void {
    this.#fragments ??= { frames: [], payloads: [] };
    const { frames, payloads } = this.#fragments;
    frames.push(Buffer.from(frame));
    payloads.push(Buffer.from(payload));
    if (!this.#header.isFinal) return;
    this.#fragments = null;
    const message = Buffer.concat(payloads);
    if (!this.#isUtf8(message) || !this.#owner.textUp(message, () => Buffer.concat(frames))) return;
    this.flush();
    for (const held of frames) this.#owner.passUp(held);
  }

  #isUtf8(payload: Buffer): boolean {
    if (isUtf8(payload)) return true;
    this.#owner.violationUp(VIOLATION.notUtf8);
    return false;
  }
}
