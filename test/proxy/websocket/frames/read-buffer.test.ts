// What upstream has sent stays what it was, wherever it lies and whoever still writes it.
import fc from 'fast-check';
import { test } from 'tap';
import { LARGE_BYTES, type Loan } from '../../../../src/proxy/websocket/frames/large-buffers.ts';
import { ReadBuffer, SMALL_BYTES } from '../../../../src/proxy/websocket/frames/read-buffer.ts';

/** As a socket reads: into the place that was given last; the next one is asked for by whoever ends the read. */
class Reader {
  readonly buffer = new ReadBuffer();
  #room = this.buffer.room;

  /** @param then what is done about it before the read ends */
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

test('a read buffer keeps what is not taken, grows when it is filled, and leaves what is lent alone', async (t) => {
  const reader = new Reader();
  const { buffer } = reader;
  reader.read('abcdef', () => t.equal(buffer.consume(4, false), null));
  let written: Buffer = Buffer.alloc(0);
  let loan: Loan | null = null;
  reader.read('gh', ({ bytes }) => {
    t.equal(reader.seen, 'efgh');
    written = bytes.subarray(0, 1);
    loan = buffer.consume(1, true);
  });
  reader.read('ij', () => buffer.consume(0, false));
  t.equal(reader.seen, 'fghij');
  t.equal(written.toString('latin1'), 'e', 'the write that it was lent to still sees it');
  t.equal(buffer.bytes.length, LARGE_BYTES);
  reader.read('.', () => t.equal(buffer.consume(0, true), null, 'of what has not been passed on nothing is lent'));
  (loan as Loan | null)?.over();
  reader.read('', () => buffer.consume(6, false));
  t.equal(reader.roomBytes, SMALL_BYTES, 'a small read that leaves nothing behind: it holds nothing any more');

  const full = 'x'.repeat(SMALL_BYTES);
  reader.read(full, () => buffer.consume(full.length, false));
  t.equal(reader.roomBytes, LARGE_BYTES, 'more is on its way than the common place takes');
  reader.read(full, () => buffer.consume(1, false));
  t.equal(reader.roomBytes, LARGE_BYTES - full.length + 1);
  reader.read('.', () => buffer.consume(buffer.end, false));
  t.equal(reader.roomBytes, LARGE_BYTES, 'the last byte of much is not little: TLS cuts frames at 16 kB');
  buffer.release();
});

test('between two reads what is taken stays where it is, since the place for the next one is given', async (t) => {
  const reader = new Reader();
  const { buffer } = reader;
  const full = 'x'.repeat(SMALL_BYTES);
  reader.read(full, () => buffer.consume(0, false));
  t.ok(buffer.hasRoomFor(LARGE_BYTES - SMALL_BYTES));
  t.notOk(buffer.hasRoomFor(LARGE_BYTES - SMALL_BYTES + 1));
  reader.read('one two');
  const passing = buffer.bytes.subarray(0, SMALL_BYTES + 4);
  const loan = buffer.consume(SMALL_BYTES + 4, true);
  t.equal(reader.seen, 'two');
  reader.read(' three');
  t.equal(reader.seen, 'two three');
  t.equal(passing.toString('latin1'), `${full}one `, 'the write is not over, so the reads have moved on');
  t.not(buffer.bytes.buffer, passing.buffer);
  loan?.over();
  buffer.consume(4, true)?.over();
  const { bytes } = buffer;
  reader.read(' four');
  t.equal(reader.seen, 'three four');
  t.equal(buffer.bytes, bytes, 'that write was over: they go on in the same buffer');
  buffer.release();
});

test('silent sockets read into one common place, and what they read is theirs', async (t) => {
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

test('whatever is read, taken and written in whatever order, every write sees its bytes until it is over', async (t) => {
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
        const writes: { readonly bytes: Buffer; readonly text: string; readonly loan: Loan }[] = [];
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
            const loan = buffer.consume(upTo, isLent);
            if (loan !== null) writes.push({ bytes, text: passed, loan });
            expected[which] = expected[which]?.slice(passed.length) ?? '';
          };
          expected[which] += text;
          reader.read(text, () => (isInside || !buffer.hasRoomFor(16_384)) && take());
          if (!isInside && buffer.hasRoomFor(1)) take();
          if (reader.seen !== expected[which]) throw new Error(`step ${at}: ${reader.seen.length}`);
          for (const { bytes, text } of writes)
            if (bytes.toString('latin1') !== text) throw new Error(`write at ${at}`);
          if (reader.roomBytes === 0) buffer.release(); // nobody leaves a frame there that fills it
          for (const { loan } of writes.splice(0, over)) loan.over();
          if (buffer.end === 0) expected[which] = '';
        }
        for (const { buffer } of readers) buffer.release();
      }),
      { numRuns: 500 },
    );
  t.doesNotThrow(histories);
});
