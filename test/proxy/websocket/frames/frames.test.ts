// Sends ten thousand random sequences of frames, good and bad, in random pieces through both walkers: valid frames pass unchanged,
// invalid ones are refused with their code, and nothing throws.
import fc from 'fast-check';
import { test } from 'tap';
import { ClientFrames } from '../../../../src/proxy/websocket/frames/client-frames.ts';
import { UpstreamFrames } from '../../../../src/proxy/websocket/frames/upstream-frames.ts';
import { bytesOf, pieces, read, sequenceOf } from './random-frames.ts';

const sequence = sequenceOf(8);
const RUNS = { numRuns: 10_000, seed: 20_261_122 };

function inPieces(bytes: Buffer, sizes: readonly number[], push: (piece: Buffer) => void): void {
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
}

function walkUp(bytes: Buffer, sizes: readonly number[], refuses: (payload: Buffer) => boolean = () => false) {
  const out: Buffer[] = [];
  const controls: string[] = [];
  const texts: string[] = [];
  let violation = 0;
  const frames = new ClientFrames({
    get isListening() {
      return violation === 0;
    },
    passUp: (piece) => void out.push(Buffer.from(piece)),
    textUp(payload, keep) {
      texts.push(payload.toString('hex'));
      const kept = read(keep(), true);
      if (kept.rest !== 0) throw new Error('what is kept is not whole');
      return !refuses(payload);
    },
    binaryUp: () => true,
    payloadUp: () => {},
    controlUp: (opcode, payload) => void controls.push(`${opcode}:${payload.toString('hex')}`),
    violationUp: (code) => {
      violation = code;
    },
  });
  inPieces(bytes, sizes, (piece) => frames.push(piece));
  return { out: Buffer.concat(out), controls, texts, violation };
}

/** As the upstream socket does it: bytes not taken come again, before the new ones. */
function walkDown(bytes: Buffer, sizes: readonly number[]) {
  const out: Buffer[] = [];
  const controls: string[] = [];
  let violation = 0;
  const frames = new UpstreamFrames({
    get isOpen() {
      return violation === 0;
    },
    passDown: (piece) => void out.push(Buffer.from(piece)),
    textDown: () => null,
    controlDown: (opcode, payload) => void controls.push(`${opcode}:${payload.toString('hex')}`),
    violationDown: (code) => {
      violation = code;
    },
  });
  let waiting: Buffer = Buffer.alloc(0);
  inPieces(bytes, sizes, (piece) => {
    waiting = Buffer.concat([waiting, piece]);
    waiting = waiting.subarray(frames.read(waiting, 0, waiting.length));
  });
  return { out: Buffer.concat(out), controls, violation };
}

/** Whether all messages passed unchanged and the control frames were taken out. */
function isUnchanged(
  bytes: Buffer,
  { out, controls, violation }: ReturnType<typeof walkDown>,
  isMasked: boolean,
): boolean {
  const sent = read(bytes, isMasked);
  const passed = read(out, isMasked);
  return (
    violation === 0 &&
    passed.rest === 0 &&
    passed.controls.length === 0 &&
    String(passed.messages) === String(sent.messages) &&
    String(controls) === String(sent.controls)
  );
}

test('up: messages pass unchanged and control frames end here, however the bytes are cut', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(sequence, pieces, (frames, sizes) => {
          const bytes = bytesOf(frames, true);
          return isUnchanged(bytes, walkUp(bytes, sizes), true);
        }),
        RUNS,
      ),
    '10,000 sequences',
  );
});

test('up: a refused message leaves no byte behind', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(sequence, pieces, (frames, sizes) => {
          const bytes = bytesOf(frames, true);
          const isOdd = (payload: Buffer): boolean => payload.length % 2 === 1;
          const { out } = walkUp(bytes, sizes, isOdd);
          const wanted = read(bytes, true).messages.filter(
            (one) => one.startsWith('binary') || !isOdd(Buffer.from(one.slice(5), 'hex')),
          );
          return String(read(out, true).messages) === String(wanted) && read(out, true).rest === 0;
        }),
        RUNS,
      ),
    '10,000 sequences',
  );
});

test('down: messages pass unchanged and control frames end here, however the bytes are cut', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(sequence, pieces, (frames, sizes) => {
          const bytes = bytesOf(frames, false);
          return isUnchanged(bytes, walkDown(bytes, sizes), false);
        }),
        RUNS,
      ),
    '10,000 sequences',
  );
});

test('both: a flipped bit anywhere crashes nothing, lets no control frame through, and has a known code', async (t) => {
  const codes = new Set([0, 1002, 1007, 1008, 1009]);
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(sequence, pieces, fc.nat(), fc.integer({ min: 1, max: 255 }), (frames, sizes, where, flip) => {
          const up = bytesOf(frames, true);
          const down = bytesOf(frames, false);
          if (up.length > 0) up[where % up.length] = (up[where % up.length] ?? 0) ^ flip;
          if (down.length > 0) down[where % down.length] = (down[where % down.length] ?? 0) ^ flip;
          const [passedUp, passedDown] = [walkUp(up, sizes), walkDown(down, sizes)];
          return (
            codes.has(passedUp.violation) &&
            codes.has(passedDown.violation) &&
            read(passedUp.out, true).controls.length === 0 &&
            read(passedDown.out, false).controls.length === 0
          );
        }),
        RUNS,
      ),
    '10,000 sequences',
  );
});

test('both: random bytes crash nothing', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 600 }), pieces, (bytes, sizes) => {
          walkUp(Buffer.from(bytes), sizes);
          walkDown(Buffer.from(bytes), sizes);
        }),
        RUNS,
      ),
    '10,000 sequences',
  );
});
