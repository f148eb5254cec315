// Random sequences of frames, and the simplest possible reader for them.
import fc from 'fast-check';
import { makeFrame, OPCODE, unmask } from '../../../../src/proxy/websocket/frames/frame.ts';

export interface Piece {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly isFinal: boolean;
}

const text = fc.string({ unit: 'grapheme', maxLength: 80 }).map((value) => Buffer.from(value, 'utf8'));
const binary = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
const control: fc.Arbitrary<Piece> = fc.record({
  opcode: fc.constantFrom(OPCODE.ping, OPCODE.pong),
  payload: fc.uint8Array({ maxLength: 125 }).map((bytes) => Buffer.from(bytes)),
  isFinal: fc.constant(true),
});
/** One message in one to four frames, with control frames between them. */
const message: fc.Arbitrary<Piece[]> = fc
  .record({
    isText: fc.boolean(),
    text,
    binary,
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
    between: fc.array(control, { maxLength: 2 }),
  })
  .map(({ isText, text, binary, cuts, between }) => {
    const payload = isText ? text : binary;
    const at = [0, ...cuts.map((cut) => Math.floor(cut * payload.length)).sort((a, b) => a - b), payload.length];
    const frames: Piece[] = [];
    for (let i = 0; i + 1 < at.length; i += 1) {
      if (i > 0) frames.push(...between);
      frames.push({
        opcode: i > 0 ? OPCODE.continuation : isText ? OPCODE.text : OPCODE.binary,
        payload: payload.subarray(at[i], at[i + 1]),
        isFinal: i + 2 === at.length,
      });
    }
    return frames;
  });
/** Messages and control frames, as a well-behaved peer sends them. */
export const sequenceOf = (maxLength: number): fc.Arbitrary<Piece[]> =>
  fc
    .array(
      fc.oneof(
        message,
        control.map((one) => [one]),
      ),
      { maxLength },
    )
    .map((list) => list.flat());
/** Sizes of the pieces in which bytes arrive. */
export const pieces = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 12 });

export function bytesOf(frames: readonly Piece[], toServer: boolean): Buffer {
  return Buffer.concat(
    frames.map(({ opcode, payload, isFinal }) => {
      const frame = makeFrame(opcode, payload, toServer);
      if (!isFinal) frame[0] = opcode;
      return frame;
    }),
  );
}

/** Reads a stream of frames in the simplest possible way. @throws Error if a frame is not valid for that side */
export function read(bytes: Buffer, isMasked: boolean): { messages: string[]; controls: string[]; rest: number } {
  const messages: string[] = [];
  const controls: string[] = [];
  let open: { kind: string; parts: Buffer[] } | null = null;
  let at = 0;
  while (at + 2 <= bytes.length) {
    const first = bytes[at] ?? 0;
    const short = (bytes[at + 1] ?? 0) & 127;
    if ((first & 0x70) !== 0 || (bytes[at + 1] ?? 0) > 127 !== isMasked) throw new Error(`no frame at ${at}`);
    const start = at + 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (isMasked ? 4 : 0);
    const length =
      short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
    if (start + length > bytes.length) break;
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (isMasked) unmask(bytes, start - 4, payload, 0, 0, length);
    const opcode = first & 15;
    if (opcode >= 8) controls.push(`${opcode}:${payload.toString('hex')}`);
    else {
      open ??= { kind: opcode === 1 ? 'text' : 'binary', parts: [] };
      open.parts.push(payload);
      if (first > 127) {
        messages.push(`${open.kind}:${Buffer.concat(open.parts).toString('hex')}`);
        open = null;
      }
    }
    at = start + length;
  }
  return { messages, controls, rest: bytes.length - at };
}
