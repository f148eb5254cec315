// Bytes from upstream never change while a write still needs them, wherever they lie.
import fc from 'fast-check';
import { test } from 'tap';
import { LARGE_BYTES, type LentBuffer } from '../../../../src/proxy/websocket/frames/large-buffers.ts';
import { ReadBuffer, SMALL_BYTES } from '../../../../src/proxy/websocket/frames/read-buffer.ts';

/** Reads as a socket does, into the room it was given last; ending a read asks for the room of the next one. */
class Reader {
  readonly buffer = new ReadBuffer();
  #room = this.buffer.room;

  /** @param then what to do with the buffer before the read ends */
  read(text: string, then: (buffer: ReadBuffer) => void = () => {}): void {
    this.buffer.filled(this.#room.write(text, 'latin1'));
    then(this.buffer);
    this.#room = this.buffer.room;
  }

  get roomBytes(): number {
    return this.#room.length;
  }

  get seen(): string {
    const { bytes, start, end } = this.buffer;
    return bytes.toString('latin1', start, end);
  }
}

test('a read buffer keeps what is not taken, grows when it is full, and never overwrites what is lent', async (t) => {
  const reader = new Reader();
  const { buffer } = reader;
  reader.read('abcdef', () => t.equal(buffer.consume(4, false), null));
  let written: Buffer = Buffer.alloc(0);
  let lent: LentBuffer | null = null;
  reader.read('gh', ({ bytes }) => {
    t.equal(reader.seen, 'efgh');
    written = bytes.subarray(0, 1);
    lent = buffer.consume(1, true);
  });
  reader.read('ij', () => buffer.consume(0, false));
  t.equal(reader.seen, 'fghij');
  t.equal(written.toString('latin1'), 'e', 'the write that it was lent to still sees it');
  t.equal(buffer.bytes.length, LARGE_BYTES);
  reader.read('.', () => t.equal(buffer.consume(0, true), null, 'nothing is lent if nothing was passed on'));
  (lent as LentBuffer | null)?.over();
  reader.read('', () => buffer.consume(6, false));
  t.equal(reader.roomBytes, SMALL_BYTES, 'after a small read that leaves nothing behind, it has no buffer of its own');

  const full = 'x'.repeat(SMALL_BYTES);
  reader.read(full, () => buffer.consume(full.length, false));
  t.equal(reader.roomBytes, LARGE_BYTES, 'more is on its way than the shared buffer takes');
  reader.read(full, () => buffer.consume(1, false));
  t.equal(reader.roomBytes, LARGE_BYTES - full.length + 1);
  reader.read('.', () => buffer.consume(buffer.end, false));
  t.equal(reader.roomBytes, LARGE_BYTES, 'one last byte of much data is not a small read: TLS cuts frames at 16 kB');
  buffer.release();
});

test('taking bytes between two reads moves nothing, since the room for the next read is already given', async (t) => {
  const reader = new Reader();
  const { buffer } = reader;
  const full = 'x'.repeat(SMALL_BYTES);
  reader.read(full, () => buffer.consume(0, false));
  t.ok(buffer.hasRoomFor(LARGE_BYTES - SMALL_BYTES));
  t.notOk(buffer.hasRoomFor(LARGE_BYTES - SMALL_BYTES + 1));
  reader.read('one two');
  const passing = buffer.bytes.subarray(0, SMALL_BYTES + 4);
  const lent = buffer.consume(SMALL_BYTES + 4, true);
  t.equal(reader.seen, 'two');
  reader.read(' three');
  t.equal(reader.seen, 'two three');
  t.equal(passing.toString('latin1'), `${full}one `, 'the write is not over, so reads have moved to another buffer');
  t.not(buffer.bytes.buffer, passing.buffer);
  lent?.over();
  buffer.consume(4, true)?.over();
  const { bytes } = buffer;
  reader.read(' four');
  t.equal(reader.seen, 'three four');
  t.equal(buffer.bytes, bytes, 'that write is over, so reads go on in the same buffer');
  buffer.release();
});

test('silent sockets read into one shared buffer, and own what they have read', async (t) => {
  const [one, other] = [new ReadBuffer(), new ReadBuffer()];
  t.equal(one.room, other.room);
  one.filled(one.room.write('of one', 'latin1'));
  other.filled(other.room.write('of the other', 'latin1'));
  t.equal(one.bytes.toString('latin1', 0, one.end), 'of one');
  const kept = one.bytes.subarray(0, 6);
  t.equal(one.consume(6, true), null, 'a write may keep it');
  other.consume(12, false);
  one.filled(one.room.write('again!', 'latin1'));
  t.equal(kept.toString('latin1'), 'of one');
});

test('in whatever order bytes are read, taken and written, each write sees its bytes until it is over', async (t) => {
  const step = fc.record({
    size: fc.oneof(fc.nat(40), fc.nat(20_000)),
    isInside: fc.boolean(),
    part: fc.nat(100),
    isLent: fc.boolean(),
    over: fc.nat(3),
  });
  let letter = 0;
  const histories = (): void =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const readers = [new Reader(), new Reader()] as const;
        const expected = ['', ''];
        const writes: { readonly bytes: Buffer; readonly text: string; readonly lent: LentBuffer }[] = [];
        for (const [at, { size, isInside, part, isLent, over }] of steps.entries()) {
          const which = at % 2;
          const reader = readers[which as 0 | 1];
          const { buffer } = reader;
          letter = (letter + 1) % 26;
          const text = String.fromCharCode(97 + letter).repeat(Math.min(size, reader.roomBytes));
          const take = (): void => {
            const upTo = buffer.start + Math.floor(((buffer.end - buffer.start) * part) / 100);
            const bytes = buffer.bytes.subarray(buffer.start, upTo);
            const passed = bytes.toString('latin1');
            const lent = buffer.consume(upTo, isLent);
            if (lent !== null) writes.push({ bytes, text: passed, lent });
            expected[which] = expected[which]?.slice(passed.length) ?? '';
          };
          expected[which] += text;
          reader.read(text, () => (isInside || !buffer.hasRoomFor(16_384)) && take());
          if (!isInside && buffer.hasRoomFor(1)) take();
          if (reader.seen !== expected[which]) throw new Error(`step ${at}: ${reader.seen.length}`);
          for (const { bytes, text } of writes)
            if (bytes.toString('latin1') !== text) throw new Error(`write at ${at}`);
          if (reader.roomBytes === 0) buffer.release(); // no caller leaves a frame there that fills the buffer
          for (const { lent } of writes.splice(0, over)) lent.over();
          if (buffer.end === 0) expected[which] = '';
        }
        for (const { buffer } of readers) buffer.release();
      }),
      { numRuns: 500 },
    );
  t.doesNotThrow(histories);
});
