// Answers in whatever pieces they come: what is handed on, what is refused, and when.
import { type Test, test } from 'tap';
import type { ParsedHead } from '../../../src/upstream/http1/answer-head.ts';
import { AnswerParser, type AnswerSink } from '../../../src/upstream/http1/answer-parser.ts';
import { UpstreamFailure } from '../../../src/upstream/upstream-failure.ts';

const LENGTH = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';

/** What a sink heard: bodies in one piece, everything else as it came. */
class Heard implements AnswerSink {
  wantsFraming: boolean;
  body = '';
  dataBytes = 0;
  calls: string[] = [];
  isReusable: boolean | null = null;
  #wasLast = false;

  constructor(wantsFraming: boolean) {
    this.wantsFraming = wantsFraming;
  }

  onHead({ status }: ParsedHead): boolean {
    this.calls.push(`${status}`);
    return this.wantsFraming;
  }

  onBody(bytes: Buffer, dataBytes: number, isLast: boolean): void {
    if (bytes.length === 0) this.calls.push('a piece of nothing');
    if (this.#wasLast) this.calls.push('a piece behind the last one');
    this.#wasLast = isLast;
    this.body += bytes.toString('latin1');
    this.dataBytes += dataBytes;
  }

  onComplete(isReusable: boolean): void {
    this.calls.push('complete');
    this.isReusable = isReusable;
    this.#wasLast = false;
  }
}

const ROOM = Buffer.alloc(65_536);

/** Reads like a connection: each piece comes into the same place, and nothing of the one before is left there. */
class Reading extends Heard {
  failure: string | null = null;
  readonly #parser = new AnswerParser(this);

  read(piece: string): this {
    ROOM.write(piece, 'latin1');
    try {
      this.#parser.read(ROOM, piece.length);
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      this.failure = error.kind;
    }
    ROOM.fill(0, 0, piece.length);
    return this;
  }

  end(): boolean {
    return this.#parser.end();
  }
}

/** In one piece, in two, cut at each place, and byte by byte. */
function* cuts(bytes: string): Generator<readonly string[]> {
  yield [bytes];
  if (bytes.length < 1_000) {
    for (let at = 1; at < bytes.length; at += 1) yield [bytes.slice(0, at), bytes.slice(at)];
    yield [...bytes];
  }
}

function readIn(pieces: readonly string[], wantsFraming: boolean): Reading {
  const reading = new Reading(wantsFraming);
  for (const piece of pieces) if (reading.failure === null) reading.read(piece);
  return reading;
}

interface Expected {
  readonly body: string;
  /** As a client may get it, where it wants the framing. */
  readonly framed?: string;
}

/** What is seen of an answer in one piece; where a cut shows something else, that instead. */
function seenOf(bytes: string, wantsFraming: boolean): Reading {
  const [inOne, ...others] = [...cuts(bytes)].map((pieces) => readIn(pieces, wantsFraming));
  if (inOne === undefined) throw new TypeError('there is always one');
  return others.find((other) => JSON.stringify(other) !== JSON.stringify(inOne)) ?? inOne;
}

function whole(t: Test, bytes: string, { body, framed = body }: Expected): void {
  for (const wantsFraming of [false, true]) {
    const seen = seenOf(bytes, wantsFraming);
    const expected = { failure: null, isReusable: true, dataBytes: body.length, body: wantsFraming ? framed : body };
    t.match(seen, expected, JSON.stringify(bytes.slice(0, 120)));
    t.strictSame(seen.calls.slice(1), ['complete']);
  }
}

function refused(t: Test, bytes: string, kind = 'malformed'): void {
  for (const wantsFraming of [false, true]) {
    const { failure, isReusable } = seenOf(bytes, wantsFraming);
    t.strictSame([failure, isReusable], [kind, null], JSON.stringify(bytes.slice(0, 120)));
  }
}

test('whole answers, wherever they are cut', (t) => {
  whole(t, `${LENGTH}{}`, { body: '{}' });
  whole(t, 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1', { body: '1' });
  whole(t, 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', { body: '' });
  whole(t, 'HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n', { body: '' });
  whole(t, 'HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n', { body: '' });
  whole(t, `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n${LENGTH}{}`, { body: '{}' });
  t.end();
});

test('chunks: their data, and as they stand but for what is surplus', (t) => {
  const last = '0\r\n\r\n';
  const plain = (body: string, chunks: string): void => whole(t, CHUNKED + chunks, { body, framed: chunks });
  plain('', last);
  plain('{}', `2\r\n{}\r\n${last}`);
  plain('{}', `1\r\n{\r\n1\r\n}\r\n${last}`);
  plain('0123456789abcdef', `10\r\n0123456789abcdef\r\n${last}`);
  plain('0123456789', `00A\r\n0123456789\r\n000\r\n\r\n`);
  plain('0123456789', `0000000000a\r\n0123456789\r\n00000000000\r\n\r\n`);
  plain('\r\n0\r\n\r\n', `7\r\n\r\n0\r\n\r\n\r\n${last}`);
  for (const digit of 'fFcC')
    plain('x'.repeat(15).slice(0, Number(`0x${digit}`)), `${digit}\r\n${'x'.repeat(Number(`0x${digit}`))}\r\n${last}`);
  const stripped = (chunks: string): void => whole(t, CHUNKED + chunks, { body: '{}', framed: `2\r\n{}\r\n${last}` });
  stripped('2;a\r\n{}\r\n0;b\r\n\r\n');
  stripped('2;a=b;c;d=\r\n{}\r\n0;b==c\r\n\r\n');
  stripped("2;!#$%&'*+-.^_`|~09azAZ\r\n{}\r\n0\r\n\r\n");
  stripped('2\r\n{}\r\n0\r\nx-a: b\r\nx-b:\r\nx-c:\t\x7e\x80\xff\r\n\r\n');
  t.end();
});

test('chunks that are none', (t) => {
  for (const chunks of [
    '\r\n\r\n',
    '\r\n',
    '\n',
    ';a\r\n',
    ' 2\r\n{}\r\n',
    '2 \r\n{}\r\n',
    '2\t\r\n{}\r\n',
    '-2\r\n{}\r\n',
    '0x2\r\n{}\r\n',
    '2\n{}\r\n',
    '2\r{}\r\n',
    '2\rx{}\r\n0\r\n\r\n',
    '2;a\rx{}\r\n0\r\n\r\n',
    '2\r\r\n{}\r\n',
    ...['/', ':', '@', 'G', '`', 'g', '\0', '\xb2'].map((byte) => `${byte}\r\n{}\r\n`),
    ...['/', ':', '@', 'G', '`', 'g', '\0', '\xb2'].map((byte) => `2${byte}\r\n{}\r\n`),
    '000000000002\r\n{}\r\n',
    '2\r\n{}x\r\n',
    '2\r\n{}\n',
    '2\r\n{}\rx',
    '2\r\n{}\r\r\n',
    '2\r\n{}\r\n\r\n',
    '2\r\n{}\r\n;\r\n',
    '2;\r\n{}\r\n',
    '2; a\r\n{}\r\n',
    '2;=a\r\n{}\r\n',
    '2;;a\r\n{}\r\n',
    '2;a;\r\n{}\r\n',
    '2;a b\r\n{}\r\n',
    '2;a="b"\r\n{}\r\n',
    '2;a\n{}\r\n',
    '2;a\r{}\r\n',
    '2;a\0\r\n{}\r\n',
    '2;\xe9\r\n{}\r\n',
    ...[
      'nocolon\r\n',
      ':\r\n',
      ': b\r\n',
      ' a: b\r\n',
      'a : b\r\n',
      'a b: c\r\n',
      'a: b\0\r\n',
      'a: b\x7f\r\n',
      'a: b\nc: d\r\n',
      'a: b\rc\r\n',
      'a: b\r\r\n',
      'a: b\r\n c\r\n',
      'a: b\r\n\n\r\n',
      'a: b\r\n\rx',
      '\n\r\n',
      '\rx',
    ].map((trailer) => `2\r\n{}\r\n0\r\n${trailer}`),
  ])
    refused(t, `${CHUNKED}${chunks}`);
  t.end();
});

test('what is good until a chunk that is none is handed on', (t) => {
  const body = '2;a\r\n{}\r\n3\r\n[1]x';
  const plain = seenOf(CHUNKED + body, false);
  t.strictSame([plain.body, plain.dataBytes, plain.failure], ['{}[1]', 5, 'malformed']);
  const framed = seenOf(CHUNKED + body, true);
  t.strictSame([framed.body, framed.dataBytes, framed.failure], ['2\r\n{}\r\n3\r\n[1]', 5, 'malformed']);
  t.end();
});

test('extensions and trailers of a body are 16 KB together at most', (t) => {
  const max = 16_384;
  const extension = (length: number): string => `;${'a'.repeat(length - 1)}`;
  const trailer = (length: number): string => `a:${'b'.repeat(length - 4)}\r\n`;
  const body = { body: '{}', framed: '2\r\n{}\r\n0\r\n\r\n' };
  for (const [more, surplus] of [
    [0, null],
    [1, 'malformed'],
  ] as const)
    for (const chunks of [
      `2${extension(max + more)}\r\n{}\r\n0\r\n\r\n`,
      `2\r\n{}\r\n0${extension(max + more)}\r\n\r\n`,
      `2\r\n{}\r\n0\r\n${trailer(max + more)}\r\n`,
      `2${extension(10)}\r\n{}\r\n0${extension(max - 20)}\r\n${trailer(10 + more)}\r\n`,
      `2\r\n{}\r\n0\r\n${trailer(100)}${trailer(max - 100 + more)}\r\n`,
    ])
      if (surplus === null) whole(t, CHUNKED + chunks, body);
      else refused(t, CHUNKED + chunks);
  t.end();
});

test('a head is 16 KB at most, and known to be too long before it has ended', (t) => {
  const long = (length: number, more = ''): string => {
    const start = `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n${more}x: `;
    return start + 'a'.repeat(length - start.length);
  };
  const max = 16_384;
  whole(t, `${long(max)}\r\n\r\n{}`, { body: '{}' });
  refused(t, `${long(max + 1)}\r\n\r\n{}`, 'oversized');
  t.equal(readIn([long(max)], false).failure, null);
  t.equal(readIn([long(max + 1)], false).failure, 'oversized');
  t.equal(readIn([long(max), 'a'], false).failure, 'oversized');
  t.equal(readIn([long(max - 2), '\r\n\r\n{}'], false).body, '{}');
  const early = 'HTTP/1.1 103 Early\r\n\r\n';
  whole(t, `${early}${long(max)}\r\n\r\n{}`, { body: '{}' });
  t.equal(readIn([early + long(max)], false).failure, null, 'each head by itself');
  t.equal(readIn([early + long(max + 1)], false).failure, 'oversized');
  t.end();
});

test('sixteen informational answers are enough, and none of them is another protocol', (t) => {
  const early = 'HTTP/1.1 103 Early\r\n\r\n';
  whole(t, `${early.repeat(16)}${LENGTH}{}`, { body: '{}' });
  refused(t, `${early.repeat(17)}${LENGTH}{}`);
  refused(t, 'HTTP/1.1 101 Switching\r\n\r\n');
  refused(t, `${early}HTTP/1.1 101 Switching\r\n\r\n`);
  const reading = readIn([`${early.repeat(16)}${LENGTH}{}`, `${early.repeat(16)}${LENGTH}[]`], false);
  t.strictSame([reading.failure, reading.body], [null, '{}[]'], 'for each answer');
  t.end();
});

test('what cannot become an answer is refused before its end has come', (t) => {
  for (const start of ['x', 'HTTPS', 'HTTP/2', '\r', '\n', '\0', 'HTTP/1.1 200 OK\n', 'HTTP/1.1 200 OK\r\na: b\n'])
    refused(t, start);
  for (const end of ['\n', '\na', '\rx']) refused(t, `HTTP/1.1 200 OK\r\na: b\r\n${end}`);
  refused(t, 'HTTP/1.1 200 OK\r\na: b\rc');
  refused(t, 'HTTP/1.1 200 OK\ra');
  for (const start of ['H', 'HTTP/1.', 'HTTP/1.1 200 OK\r', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\na: b\r\n\r'])
    for (const pieces of cuts(start)) t.equal(readIn(pieces, false).failure, null, JSON.stringify(pieces));
  const early = 'HTTP/1.1 103 Early\r\n\r\n';
  refused(t, `${early}x`);
  refused(t, `${early}\n`);
  t.end();
});

test('the last piece of a body that has a length is known, and so is that of chunks as they stand', (t) => {
  class Lasts extends Heard {
    readonly pieces: string[] = [];

    override onBody(bytes: Buffer, dataBytes: number, isLast: boolean): void {
      this.pieces.push(`${JSON.stringify(bytes.toString('latin1'))} ${dataBytes}${isLast ? ' last' : ''}`);
    }
  }
  const seen = (wantsFraming: boolean, ...pieces: readonly string[]): string[] => {
    const sink = new Lasts(wantsFraming);
    const parser = new AnswerParser(sink);
    try {
      for (const piece of pieces) parser.read(Buffer.from(piece, 'latin1'), piece.length);
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
    }
    return sink.pieces;
  };
  t.strictSame(seen(false, `${LENGTH}{}`), ['"{}" 2 last']);
  t.strictSame(seen(false, LENGTH, '{', '}'), ['"{" 1', '"}" 1 last']);
  t.strictSame(seen(false, 'HTTP/1.1 200 OK\r\n\r\n{}', '[]'), ['"{}" 2', '"[]" 2']);
  t.strictSame(seen(false, 'HTTP/1.1 200 OK\r\n\r\n'), []);
  t.strictSame(seen(false, `${CHUNKED}2\r\n{}\r\n0\r\n\r\n`), ['"{}" 2']);
  t.strictSame(seen(true, `${CHUNKED}2\r\n{}\r\n0\r\n\r\n`), ['"2\\r\\n{}\\r\\n0\\r\\n\\r\\n" 2 last']);
  t.strictSame(seen(true, `${CHUNKED}2\r\n{`, '}\r\n', '0\r\n\r\n'), [
    '"2\\r\\n{" 1',
    '"}\\r\\n" 1',
    '"0\\r\\n\\r\\n" 0 last',
  ]);
  t.strictSame(seen(true, `${LENGTH}{}`), ['"{}" 2 last'], 'without chunks there is no framing to keep');
  t.strictSame(seen(true, `${CHUNKED}2\r\n{}x`), ['"2\\r\\n{}" 2'], 'behind what is broken nothing follows');
  t.end();
});

test('behind a whole answer there may be another one, if nothing has come that nobody has asked for', (t) => {
  const none = 'HTTP/1.1 204 No Content\r\n\r\n';
  const answers = [
    `${LENGTH}{}`,
    'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
    none,
    `${CHUNKED}2\r\n{}\r\n0\r\n\r\n`,
    `${CHUNKED}0\r\nx: y\r\n\r\n`,
  ];
  for (const wantsFraming of [false, true])
    for (const first of answers) {
      t.equal(readIn([first], wantsFraming).isReusable, true, JSON.stringify(first));
      const closed = first.replace('\r\n', '\r\nconnection: close\r\n');
      t.equal(readIn([closed], wantsFraming).isReusable, false, JSON.stringify(closed));
      for (const more of ['\r', '\n', 'x', none]) {
        const { calls, isReusable } = readIn([first + more], wantsFraming);
        t.strictSame([isReusable, calls.length], [false, 2], JSON.stringify(first + more));
      }
      for (const second of answers) {
        const reading = readIn([first, second], wantsFraming);
        t.strictSame([reading.failure, reading.isReusable, reading.calls.length], [null, true, 4]);
        t.equal(reading.body, readIn([first], wantsFraming).body + readIn([second], wantsFraming).body);
      }
    }
  t.end();
});

test('of answers that are wanted in different forms each has its own bytes of data', (t) => {
  const chunks = '2\r\n{}\r\n0\r\n\r\n';
  const reading = readIn([CHUNKED + chunks], false);
  reading.wantsFraming = true;
  reading.read(CHUNKED + chunks);
  t.strictSame([reading.body, reading.dataBytes], [`{}${chunks}`, 4]);
  reading.wantsFraming = false;
  reading.read(CHUNKED + chunks).read(`${LENGTH}{}`);
  t.strictSame([reading.body, reading.dataBytes, reading.failure], [`{}${chunks}{}{}`, 8, null]);
  t.end();
});

test('the end of the connection is the end of an answer that has no other', (t) => {
  const open = readIn(['HTTP/1.1 200 OK\r\n\r\n', '{}'], true);
  t.strictSame([open.isReusable, open.body, open.dataBytes], [null, '{}', 2]);
  t.equal(open.end(), true);
  t.strictSame([open.isReusable, open.calls], [false, ['200', 'complete']]);
  t.equal(open.end(), false, 'once');
  const parts = ['', 'HTTP/1.1 200 OK\r\n', `${LENGTH}{`, `${LENGTH}{}`, `${CHUNKED}2\r\n{}\r\n`];
  for (const bytes of [...parts, `${CHUNKED}2\r\n{}\r\n0\r\n`, 'HTTP/1.1 100 Continue\r\n\r\n']) {
    const reading = readIn([bytes], false);
    const before = reading.calls.length;
    t.equal(reading.end(), false, JSON.stringify(bytes));
    t.equal(reading.calls.length, before, JSON.stringify(bytes));
  }
  t.end();
});
