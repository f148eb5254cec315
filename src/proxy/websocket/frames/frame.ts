// Makes the frames that the relay itself sends, to either side.
// RFC 6455 §5.2.
import { randomFillSync } from 'node:crypto';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A control frame's payload is never longer. */
export const CONTROL_MAX_BYTES = 125;

const FIN = 0x80;
const MASKED = 0x80;
const MASK_BYTES = 4;
const MASKS = Buffer.alloc(4096);
let nextMask = MASKS.length;

/**
 * One whole, unfragmented frame.
 * @param toServer masks it with fresh random bytes, as everything that a client sends must be (§5.3)
 */
export function makeFrame(opcode: number, payload: Uint8Array, toServer: boolean): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + extended + (toServer ? MASK_BYTES : 0);
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = FIN | opcode;
  frame[1] = (toServer ? MASKED : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  else if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, start);
  if (toServer) {
    writeMask(frame, start - MASK_BYTES);
    unmask(frame, start - MASK_BYTES, frame, start, start, length);
  }
  return frame;
}

export function makeTextFrame(text: string, toServer: boolean): Buffer {
  return makeFrame(OPCODE.text, Buffer.from(text, 'utf8'), toServer);
}

/** @param code `null` = a close frame without code and reason */
export function makeCloseFrame(code: number | null, reason: string, toServer: boolean): Buffer {
  if (code === null) return makeFrame(OPCODE.close, Buffer.alloc(0), toServer);
  const payload = Buffer.allocUnsafe(CONTROL_MAX_BYTES);
  payload.writeUInt16BE(code, 0);
  // `write` truncates at a whole character.
  const length = payload.write(reason, 2, 'utf8');
  return makeFrame(OPCODE.close, payload.subarray(0, 2 + length), toServer);
}

/**
 * XORs with the four mask bytes at `mask[maskAt]`, which masks and unmasks. Source and target may be the same place.
 */
export function unmask(
  mask: Uint8Array,
  maskAt: number,
  from: Uint8Array,
  fromAt: number,
  toAt: number,
  length: number,
  to: Uint8Array = from,
): void {
  const a = mask[maskAt] ?? 0;
  const b = mask[maskAt + 1] ?? 0;
  const c = mask[maskAt + 2] ?? 0;
  const d = mask[maskAt + 3] ?? 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    to[toAt + i] = (from[fromAt + i] as number) ^ a; // inside the frame, so it is there
    to[toAt + i + 1] = (from[fromAt + i + 1] as number) ^ b;
    to[toAt + i + 2] = (from[fromAt + i + 2] as number) ^ c;
    to[toAt + i + 3] = (from[fromAt + i + 3] as number) ^ d;
  }
  if (i < length) to[toAt + i] = (from[fromAt + i] as number) ^ a;
  if (i + 1 < length) to[toAt + i + 1] = (from[fromAt + i + 1] as number) ^ b;
  if (i + 2 < length) to[toAt + i + 2] = (from[fromAt + i + 2] as number) ^ c;
}

/** Random bytes are fetched for a thousand masks at a time: one call into OpenSSL costs more than a frame. */
function writeMask(frame: Buffer, at: number): void {
  if (nextMask === MASKS.length) {
    randomFillSync(MASKS);
    nextMask = 0;
  }
  MASKS.copy(frame, at, nextMask, nextMask + MASK_BYTES);
  nextMask += MASK_BYTES;
}
