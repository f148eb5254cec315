// What happens to a client's frames: what passes, when, and what waits for what.
import { test } from 'tap';
import { ClientFrames } from '../../../../src/proxy/websocket/frames/client-frames.ts';
import { makeTextFrame } from '../../../../src/proxy/websocket/frames/frame.ts';
import { frameOf } from '../../../e2e/raw-socket.ts';

/** A walker whose owner records everything, in order. */
function walker(answers: { readonly text?: boolean; readonly binary?: boolean } = {}) {
  const told: string[] = [];
  const out: Buffer[] = [];
  const kept: Buffer[] = [];
  let passed = 0;
  let isListening = true;
  const frames = new ClientFrames({
    get isListening() {
      return isListening;
    },
    passUp(bytes) {
      if (bytes.length === 0) throw new Error('a write of nothing');
      out.push(Buffer.from(bytes));
    },
    textUp(payload, keep) {
      told.push(`text ${payload}`);
      kept.push(keep());
      return answers.text ?? true;
    },
    binaryUp(isFirst) {
      told.push(`binary ${isFirst}`);
      return answers.binary ?? true;
    },
    payloadUp(bytes) {
      passed += bytes;
    },
    controlUp: (opcode, payload) => void told.push(`control ${opcode} ${payload}`),
    violationUp(code) {
      told.push(`violation ${code}`);
      isListening = false;
    },
  });
  return {
    frames,
    told,
    kept,
    /** Bytes of audio that have passed. */
    get passed() {
      return passed;
    },
    /** What has been sent upstream so far. */
    get up(): Buffer {
      return Buffer.concat(out);
    },
    stop(): void {
      isListening = false;
    },
  };
}

const OURS = makeTextFrame('ours', true);
const AUDIO = frameOf(2, 'some audio');
const HALF = AUDIO.subarray(0, 10);
const REST = AUDIO.subarray(10);

test('audio passes as it arrives, and a frame of ours waits until the frame under way is complete', async (t) => {
  const walk = walker();
  walk.frames.send(OURS);
  t.strictSame(walk.up, OURS);
  walk.frames.push(HALF);
  t.strictSame(walk.up, Buffer.concat([OURS, HALF]), 'at once');
  t.ok(walk.frames.isMidFrame);
  t.equal(walk.passed, 4, 'of ten that are announced');
  walk.frames.send(OURS);
  walk.frames.send(OURS);
  t.strictSame(walk.up, Buffer.concat([OURS, HALF]));
  walk.frames.push(Buffer.concat([REST, AUDIO]));
  t.notOk(walk.frames.isMidFrame);
  t.strictSame(walk.up, Buffer.concat([OURS, AUDIO, OURS, OURS, AUDIO]));
  t.strictSame(walk.told, ['binary true', 'binary true']);
  t.equal(walk.passed, 20);
});

test('a frame of ours sent while text is inspected goes between that text and what came before it', async (t) => {
  const order: string[] = [];
  const frames: ClientFrames = new ClientFrames({
    isListening: true,
    passUp: (bytes) => void order.push(bytes.equals(OURS) ? 'ours' : `${bytes.length}`),
    textUp() {
      frames.send(OURS);
      return true;
    },
    binaryUp: () => true,
    payloadUp: () => {},
    controlUp: () => {},
    violationUp: () => {},
  });
  const text = frameOf(1, 'text');
  frames.push(Buffer.concat([AUDIO, text]));
  t.strictSame(order, [`${AUDIO.length}`, 'ours', `${text.length}`]);
});

test('dropped audio leaves nothing behind and holds nothing up', async (t) => {
  const walk = walker({ binary: false });
  const text = frameOf(1, 'text');
  walk.frames.push(Buffer.concat([text, HALF]));
  t.notOk(walk.frames.isMidFrame);
  walk.frames.send(OURS);
  walk.frames.push(Buffer.concat([REST, frameOf(2), text]));
  t.strictSame(walk.up, Buffer.concat([text, OURS, text]));
  t.strictSame(walk.told, ['text text', 'binary true', 'binary true', 'text text']);
  t.equal(walk.passed, 0);
});

test('audio in several frames, one of them empty, is reported frame by frame', async (t) => {
  const { frames, told } = walker();
  frames.push(Buffer.concat([frameOf(2, 'a', { isFinal: false }), frameOf(0)]));
  t.strictSame(told, ['binary true', 'binary false']);
});

for (const size of [1, 7, 10_000]) {
  test(`fragmented text is shown as a whole, read in pieces of ${size}`, async (t) => {
    const fragments = [frameOf(1, 'so', { isFinal: false }), frameOf(0, 'me', { isFinal: false }), frameOf(0, ' text')];
    const [first, second, third] = fragments as [Buffer, Buffer, Buffer];
    const bytes = Buffer.concat([AUDIO, first, frameOf(9, 'ping'), second, third, AUDIO]);
    for (const isTaken of [true, false]) {
      const walk = walker({ text: isTaken });
      for (let at = 0; at < bytes.length; at += size) walk.frames.push(Buffer.from(bytes.subarray(at, at + size)));
      t.strictSame(walk.told, ['binary true', 'control 9 ping', 'text some text', 'binary true']);
      t.strictSame(walk.kept, [Buffer.concat(fragments)], 'its frames are kept');
      t.strictSame(walk.up, Buffer.concat(isTaken ? [AUDIO, ...fragments, AUDIO] : [AUDIO, AUDIO]));
    }
  });
}

test('control frames end here, wherever they occur, and incomplete text waits', async (t) => {
  const walk = walker();
  const [first, last] = [frameOf(2, 'a', { isFinal: false }), frameOf(0, 'b')];
  const text = frameOf(1, 'some text');
  walk.frames.push(Buffer.concat([frameOf(9, 'one'), first, frameOf(10, 'two'), last, text.subarray(0, 12)]));
  t.strictSame(walk.told, ['control 9 one', 'binary true', 'control 10 two', 'binary false']);
  t.strictSame(walk.up, Buffer.concat([first, last]));
  walk.frames.push(Buffer.concat([text.subarray(12), frameOf(8)]));
  t.strictSame(walk.told.slice(4), ['text some text', 'control 8 ']);
  t.strictSame(walk.up, Buffer.concat([first, last, text]));
});

test('valid frames pass, and nothing from a violation on', async (t) => {
  for (const [name, broken, code] of [
    ['no mask', frameOf(1, 'a', { isMasked: false }), 1002],
    ['an unknown opcode', frameOf(3, 'a'), 1002],
    ['an unknown control opcode', frameOf(11, 'a'), 1002],
    ['a short length in two bytes', frameOf(1, 'a'.repeat(125), { lengthBytes: 2 }), 1002],
    ['a short length in eight bytes', frameOf(2, Buffer.alloc(65_535), { lengthBytes: 8 }), 1002],
    ['a length with the highest bit set', Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 2, 0, 0, 1, 2, 3, 4]), 1002],
    ['a control frame that is too long', frameOf(9, 'a'.repeat(126)), 1002],
    ['text that is not UTF-8', frameOf(1, Buffer.from([0xff])), 1007],
    [
      'text that is not UTF-8 as a whole',
      Buffer.concat([frameOf(1, Buffer.from([0xc3]), { isFinal: false }), frameOf(0, 'a')]),
      1007,
    ],
    ['too long a text', frameOf(1, '', { length: 256 * 1024 + 1 }), 1009],
    ['too long a piece of audio', frameOf(2, '', { length: 1024 * 1024 + 1 }), 1009],
  ] as const) {
    const walk = walker();
    walk.frames.push(Buffer.concat([AUDIO, broken, AUDIO]));
    walk.frames.push(AUDIO);
    t.strictSame(walk.told, ['binary true', `violation ${code}`], name);
    t.strictSame(walk.up, AUDIO, name);
  }
});

test('every encoding of a length is read', async (t) => {
  const walk = walker();
  const lengths = [0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000];
  const frames = lengths.flatMap((length) => [frameOf(2, Buffer.alloc(length)), frameOf(1, 'a'.repeat(length))]);
  for (const frame of frames) {
    walk.frames.push(frame);
    while (walk.frames.isSpent) walk.frames.readOn();
  }
  t.strictSame(walk.up, Buffer.concat(frames));
  t.strictSame(
    walk.told,
    lengths.flatMap((length) => ['binary true', `text ${'a'.repeat(length)}`]),
  );
  t.equal(
    walk.passed,
    lengths.reduce((sum, length) => sum + length, 0),
  );
});

test('messages at the limits still pass', async (t) => {
  const walk = walker();
  const long = 'a'.repeat(256 * 1024);
  const text = frameOf(1, long);
  const audio = frameOf(2, Buffer.alloc(1024 * 1024));
  const fragments = [
    frameOf(2, 'a', { isFinal: false }),
    ...Array.from({ length: 126 }, () => frameOf(0, 'a', { isFinal: false })),
  ];
  walk.frames.push(Buffer.concat([text, audio, ...fragments, frameOf(0, 'a')]));
  while (walk.frames.isSpent) walk.frames.readOn();
  t.notOk(walk.told.some((one) => one.startsWith('violation')));
  t.equal(walk.told.length, 2 + 128);
  t.equal(walk.told[0], `text ${long}`, 'shown to its end');
  walk.frames.push(Buffer.concat([...fragments, frameOf(0, 'a', { isFinal: false }), frameOf(0, 'a')]));
  while (walk.frames.isSpent) walk.frames.readOn();
  t.equal(walk.told.at(-1), 'violation 1008');
});

test('an owner that has stopped listening is told nothing', async (t) => {
  const walk = walker();
  walk.frames.push(HALF);
  walk.stop();
  walk.frames.push(Buffer.concat([REST, AUDIO]));
  t.strictSame(walk.up, HALF);
  t.strictSame(walk.told, ['binary true']);
});

test('only a few frames of a flood are handled per turn, in order, and none is lost', async (t) => {
  for (const [name, frame, told] of [
    ['pings', frameOf(9, 'p'), 'control 9 p'],
    ['texts', frameOf(1), 'text '],
    ['audio', frameOf(2, 'a'), 'binary true'],
  ] as const) {
    const walk = walker();
    const flood = Buffer.concat([...Array.from({ length: 150 }, () => frame), HALF]);
    walk.frames.push(flood.subarray(0, flood.length - 7));
    t.strictSame(walk.told, new Array(64).fill(told), name);
    t.ok(walk.frames.isSpent);
    walk.frames.push(flood.subarray(flood.length - 7));
    t.equal(walk.told.length, 64, 'what still arrives waits');
    walk.frames.readOn();
    t.equal(walk.told.length, 128);
    walk.frames.readOn();
    t.notOk(walk.frames.isSpent);
    walk.frames.push(REST);
    t.strictSame(walk.told, [...new Array(150).fill(told), 'binary true']);
    const passed = frame[0] === 0x89 ? [AUDIO] : [...Array.from({ length: 150 }, () => frame), AUDIO];
    t.strictSame(walk.up, Buffer.concat(passed));
  }
});

test('much text counts as much as many frames', async (t) => {
  const walk = walker();
  const text = frameOf(1, 'a'.repeat(40 * 1024));
  walk.frames.push(Buffer.concat([text, text, text]));
  t.equal(walk.told.length, 2);
  t.ok(walk.frames.isSpent);
  walk.frames.readOn();
  t.equal(walk.told.length, 3);
  t.notOk(walk.frames.isSpent);
  walk.frames.push(text.subarray(0, 100));
  walk.frames.push(Buffer.concat([text.subarray(100), text]));
  t.equal(walk.told.length, 5);
  t.ok(walk.frames.isSpent, 'although there is nothing more');
  walk.frames.readOn();
  t.notOk(walk.frames.isSpent);
});

test('an owner that has stopped listening waits for no turn', async (t) => {
  const walk = walker();
  walk.frames.push(Buffer.concat(Array.from({ length: 100 }, () => frameOf(9))));
  t.ok(walk.frames.isSpent);
  walk.stop();
  walk.frames.readOn();
  t.notOk(walk.frames.isSpent);
  t.equal(walk.told.length, 64);
});
