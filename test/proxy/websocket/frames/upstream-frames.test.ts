// What happens to upstream's frames: what passes, what is shown, what is replaced, and where frames of ours go.
import { test } from 'tap';
import { makeFrame, makeTextFrame } from '../../../../src/proxy/websocket/frames/frame.ts';
import { UpstreamFrames } from '../../../../src/proxy/websocket/frames/upstream-frames.ts';
import { frameOf } from '../../../e2e/raw-socket.ts';

const frame = (opcode: number, payload: Buffer | string, isFinal = true): Buffer =>
  frameOf(opcode, payload, { isMasked: false, isFinal });

/** A walker whose owner records everything. @param instead returns the replacement for a text, or `null` */
function walker(instead: (text: string) => string | null = () => null) {
  const told: string[] = [];
  const out: Buffer[] = [];
  let isOpen = true;
  let waiting: Buffer = Buffer.alloc(0);
  const frames = new UpstreamFrames({
    get isOpen() {
      return isOpen;
    },
    passDown(bytes) {
      if (bytes.length === 0) throw new Error('a write of nothing');
      out.push(Buffer.from(bytes));
    },
    textDown(bytes, start, end) {
      const text = bytes.toString('utf8', start, end);
      told.push(`text ${text}`);
      return instead(text);
    },
    controlDown: (opcode, payload) => void told.push(`control ${opcode} ${payload}`),
    violationDown(code) {
      told.push(`violation ${code}`);
      isOpen = false;
    },
  });
  return {
    frames,
    told,
    /** As the socket does it: bytes not taken come again, before the new ones. */
    push(...pieces: readonly Buffer[]): void {
      waiting = Buffer.concat([waiting, ...pieces]);
      waiting = waiting.subarray(frames.read(waiting, 0, waiting.length));
    },
    /** What has been sent to the client so far. */
    get down(): Buffer {
      return Buffer.concat(out);
    },
  };
}

const OURS = makeTextFrame('ours', false);
const PING = makeFrame(9, Buffer.alloc(0), false);
const [A, B] = [frame(1, 'a'), frame(1, 'b')];

test('text is shown before it passes, and may be replaced', async (t) => {
  const walk = walker((text) => (text === 'secret' ? 'hidden' : null));
  walk.push(A, frame(1, 'secret'), frame(9, 'ping'), B);
  t.strictSame(walk.told, ['text a', 'text secret', 'control 9 ping', 'text b']);
  t.strictSame(walk.down, Buffer.concat([A, makeTextFrame('hidden', false), B]));
  t.notOk(walk.frames.isMidMessage);
});

test('an incomplete frame waits where it is', async (t) => {
  const { frames } = walker();
  const bytes = Buffer.concat([A, B.subarray(0, 2)]);
  t.equal(frames.read(bytes, 0, bytes.length), A.length);
  const behind = Buffer.concat([Buffer.from('x'), A, B.subarray(0, 1)]);
  t.equal(frames.read(behind, 1, behind.length), 1 + A.length);
});

test('fragmented text is held back until it is complete, and passes in one frame', async (t) => {
  const walk = walker((text) => (text === 'secret' ? 'hidden' : null));
  walk.push(A, frame(1, 'pla', false));
  t.strictSame(walk.down, A);
  t.notOk(walk.frames.isMidMessage, 'the client has received none of it');
  walk.frames.send(OURS, false);
  walk.push(frame(9, 'ping'), frame(0, 'in'), frame(1, 'sec', false), frame(0, 'ret'));
  t.strictSame(walk.down, Buffer.concat([A, OURS, frame(1, 'plain'), frame(1, 'hidden')]));
  t.strictSame(walk.told, ['text a', 'control 9 ping', 'text plain', 'text secret']);
});

const PART = 'é'.repeat(50_000);

test('fragmented text that is too long to hold passes unread, interrupted only by control frames', async (t) => {
  const walk = walker();
  walk.push(frame(1, PART, false), frame(0, PART, false));
  t.equal(walk.down.length, 0);
  walk.push(frame(0, PART, false));
  t.ok(walk.frames.isMidMessage);
  const begun = frame(1, PART.repeat(3), false);
  t.strictSame(walk.down, begun);
  walk.frames.send(OURS, false);
  walk.frames.send(PING, true);
  const [next, last] = [frame(0, 'more', false), frame(0, 'end')];
  walk.push(next);
  t.strictSame(walk.down, Buffer.concat([begun, PING, next]));
  walk.push(last, A);
  t.strictSame(walk.down, Buffer.concat([begun, PING, next, last, OURS, A]));
  t.strictSame(walk.told, ['text a']);
  t.notOk(walk.frames.isMidMessage);

  const cut = walker();
  const [half, rest] = [Buffer.from(`${PART}é`).subarray(0, -1), Buffer.from('é').subarray(1)];
  cut.push(frame(1, PART, false), frame(0, PART, false), frame(0, half, false), frame(0, rest), A);
  t.strictSame(cut.told, ['text a'], 'a character may be split across two frames');

  const broken = walker();
  broken.push(frame(1, PART.repeat(3), false), frame(0, Buffer.from([0xc3, 0x28]), false));
  t.strictSame(broken.told, ['violation 1007'], 'it must still be valid text');
  const unfinished = walker();
  unfinished.push(frame(1, PART.repeat(3), false), frame(0, Buffer.from([0xc3])), A);
  t.strictSame(unfinished.told, ['violation 1007']);
});

test('a frame that is too large to inspect passes as it arrives, and nothing interrupts it', async (t) => {
  for (const opcode of [1, 2]) {
    const large = frame(opcode, PART.repeat(2));
    const walk = walker();
    walk.push(A, large.subarray(0, 1001));
    t.strictSame(walk.down, Buffer.concat([A, large.subarray(0, 1001)]));
    t.ok(walk.frames.isMidMessage);
    walk.frames.send(OURS, false);
    walk.frames.send(PING, true);
    walk.push(large.subarray(1001), B);
    t.strictSame(walk.down, Buffer.concat([A, large, OURS, PING, B]));
    t.strictSame(walk.told, ['text a', 'text b']);
    t.notOk(walk.frames.isMidMessage);
  }
  const broken = walker();
  broken.push(frame(1, Buffer.concat([Buffer.from(PART.repeat(2)), Buffer.from([0xc3])])), A);
  t.strictSame(broken.told, ['violation 1007'], 'half a character at its end');
  const bytes = walker();
  bytes.push(frame(2, Buffer.alloc(200_000, 0xff)), A);
  t.strictSame(bytes.told, ['text a'], 'audio is not text');
});

test('a large frame after held fragments releases them first', async (t) => {
  const walk = walker();
  const [first, large, last] = [frame(1, 'begin é', false), frame(0, PART.repeat(2), false), frame(0, 'é')];
  walk.push(A, first, large.subarray(0, 500));
  t.strictSame(walk.down, Buffer.concat([A, first, large.subarray(0, 500)]));
  walk.push(large.subarray(500));
  t.ok(walk.frames.isMidMessage);
  walk.push(last, A);
  t.strictSame(walk.down, Buffer.concat([A, first, large, last, A]));
  t.strictSame(walk.told, ['text a', 'text a']);
});

test('audio in fragments passes frame by frame: our text waits for its end, a control frame does not', async (t) => {
  const walk = walker();
  const [first, last] = [frame(2, 'a', false), frame(0, 'b')];
  walk.push(first);
  t.ok(walk.frames.isMidMessage);
  walk.frames.send(OURS, false);
  walk.frames.send(OURS, false);
  walk.frames.send(PING, true);
  walk.push(last);
  t.strictSame(walk.down, Buffer.concat([first, PING, last, OURS, OURS]));
  walk.frames.send(OURS, false);
  t.strictSame(walk.down, Buffer.concat([first, PING, last, OURS, OURS, OURS]));
});

test('valid frames pass, and nothing from a violation on', async (t) => {
  for (const [name, broken, code] of [
    ['a mask', frameOf(1, 'a'), 1002],
    ['a continuation of nothing', frame(0, 'a'), 1002],
    ['text that is not UTF-8', frame(1, Buffer.from([0xff])), 1007],
    ['text that is not UTF-8 as a whole', Buffer.concat([frame(1, Buffer.from([0xc3]), false), frame(0, 'a')]), 1007],
    ['too long a message', frameOf(2, '', { isMasked: false, length: 16 * 1024 * 1024 + 1 }), 1009],
  ] as const) {
    const walk = walker();
    walk.push(A, broken, B);
    t.strictSame(walk.told, ['text a', `violation ${code}`], name);
    t.strictSame(walk.down, A, name);
  }
});
