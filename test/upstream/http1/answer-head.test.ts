// The head of an answer, line by line: what is taken, and how it is understood.
import { test } from 'tap';
import { type ParsedHead, parseHead } from '../../../src/upstream/http1/answer-head.ts';

const head = (fields = '', start = 'HTTP/1.1 200 OK'): ParsedHead => parseHead(start + fields);
const LENGTH = '\r\ncontent-length: 2';
const MALFORMED = { name: 'UpstreamFailure', message: /^malformed/ };

test('first lines that are those of an answer', (t) => {
  for (const [line, status] of [
    ['HTTP/1.1 200 OK', 200],
    ['HTTP/1.0 200 OK', 200],
    ['HTTP/1.1 100', 100],
    ['HTTP/1.1 599 ', 599],
    ['HTTP/1.1 404 Not\tFound \x7e\x80\xff', 404],
  ] as const)
    t.equal(head(LENGTH, line).status, status, JSON.stringify(line));
  t.end();
});

test('first lines that are not', (t) => {
  for (const line of [
    '',
    'HTTP/1.1',
    'HTTP/1.1 ',
    'HTTP/1.1  200 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.1 200\tOK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1 600 OK',
    'HTTP/1.2 200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/11 200 OK',
    'http/1.1 200 OK',
    ' HTTP/1.1 200 OK',
    'x\r\nHTTP/1.1 200 OK',
    'HTTP/1.1 200 O\x1fK',
    'HTTP/1.1 200 OK\x7f',
    'HTTP/1.1 200 OK\r',
    'HTTP/1.1 200 OK\n',
    'HTTP/1.1 200 \u0100',
  ])
    for (const fields of ['', LENGTH]) t.throws(() => head(fields, line), MALFORMED, JSON.stringify(line + fields));
  t.end();
});

test('fields that are none', (t) => {
  for (const line of [
    '',
    'nocolon',
    ':',
    ': b',
    ' a: b',
    '\ta: b',
    'a : b',
    'a\t: b',
    'a b: c',
    'a(: b',
    'a": b',
    '\xe9: b',
    'a: b\0',
    'a: b\x7f',
    'a: b\x1f',
    'a: b\rc',
    'a: b\nc: d',
    'a: b\r',
    'a: b\n',
    'a: \u0100',
    'a: b\r\n c',
    'a: b\r\n',
  ])
    for (const fields of [`\r\n${line}`, `\r\n${line}${LENGTH}`, `${LENGTH}\r\n${line}`])
      t.throws(() => head(fields), MALFORMED, JSON.stringify(fields));
  t.end();
});

test('names stay as they came, values lose the space around them', (t) => {
  const fields = "\r\nX-A: \t b  c \t\r\nx-b:\r\nx-c: \t \r\nx-d:e\r\nx-e: a:b\xe9~ \r\n!#$%&'*+-.^_`|~0z: y";
  t.strictSame(head(fields).headers, [
    ...['X-A', 'b  c', 'x-b', '', 'x-c', '', 'x-d', 'e', 'x-e', 'a:b\xe9~'],
    ...["!#$%&'*+-.^_`|~0z", 'y'],
  ]);
  t.end();
});

test('how the end of the body is known', (t) => {
  const close = { kind: 'close' };
  const none = { kind: 'none' };
  const length = (bytes: number) => ({ kind: 'length', bytes });
  for (const [fields, start, framing] of [
    ['', 'HTTP/1.1 200 OK', close],
    ['', 'HTTP/1.0 200 OK', close],
    ['\r\ncontent-length:0', 'HTTP/1.1 200 OK', length(0)],
    ['\r\nContent-LENGTH: \t2', 'HTTP/1.0 200 OK', length(2)],
    ['\r\ncontent-length: 000000000000002', 'HTTP/1.1 500 OK', length(2)],
    ['\r\ncontent-length: 999999999999999', 'HTTP/1.1 200 OK', length(999_999_999_999_999)],
    ['\r\nTransfer-ENCODING: \tChunked', 'HTTP/1.1 200 OK', { kind: 'chunked' }],
    ['\r\nx-ontent-length: 2', 'HTTP/1.1 200 OK', close],
    ['\r\nx-ntent-length: 2', 'HTTP/1.1 200 OK', close],
    ['\r\nx-ansfer-encoding: a', 'HTTP/1.1 200 OK', close],
    ['\r\nx-nsfer-encoding: a', 'HTTP/1.1 200 OK', close],
    [LENGTH, 'HTTP/1.1 204 OK', none],
    [LENGTH, 'HTTP/1.1 304 OK', none],
    [LENGTH, 'HTTP/1.1 199 OK', none],
    ['', 'HTTP/1.1 204 OK', none],
    ['\r\ntransfer-encoding: chunked', 'HTTP/1.1 304 OK', none],
    [LENGTH, 'HTTP/1.1 205 OK', length(2)],
    [LENGTH, 'HTTP/1.1 303 OK', length(2)],
  ] as const)
    t.strictSame(head(fields, start).framing, framing, JSON.stringify(start + fields));
  t.end();
});

test('a length that two could read in two ways is none', (t) => {
  const chunked = '\r\ntransfer-encoding: chunked';
  for (const fields of [
    ...['', '+2', '-2', '2, 2', '2,', '0x2', '2e0', '2.0', '2 2', '2 ', '2\t', 'a2', '2a', '1'.repeat(16)].map(
      (value) => `\r\ncontent-length: ${value}`,
    ),
    LENGTH + LENGTH,
    `${LENGTH}\r\nx: y${LENGTH}`,
    LENGTH + chunked,
    chunked + LENGTH,
    `${chunked}\r\nContent-Length: 0`,
    chunked + chunked,
    ...['', 'gzip', 'identity', 'gzip, chunked', 'chunked, gzip', 'chunked,', 'chunked ', 'chunked\t', 'xchunked'].map(
      (value) => `\r\ntransfer-encoding: ${value}`,
    ),
  ])
    t.throws(() => head(fields), MALFORMED, JSON.stringify(fields));
  t.throws(() => head(chunked, 'HTTP/1.0 200 OK'), MALFORMED, 'HTTP/1.0 has no chunks');
  t.end();
});

test('whether another request may follow, and how long the connection is kept for it', (t) => {
  for (const [fields, isReusable, seconds] of [
    ['', true, null],
    ['\r\nConnection: close', false, null],
    ['\r\nconnection: keep-alive, CLOSE', false, null],
    ['\r\nconnection: close,x', false, null],
    ['\r\nconnection: close\r\nconnection: keep-alive', false, null],
    ['\r\nconnection: closed, x-close', true, null],
    ['\r\nx-onnection: close', true, null],
    ['\r\nx-nnection: close', true, null],
    ['\r\nKeep-Alive: timeout=5', true, 5],
    ['\r\nkeep-alive: Timeout=0', true, 0],
    ['\r\nkeep-alive: max=100, timeout=75', true, 75],
    ['\r\nkeep-alive: timeout=75,max=100', true, 75],
    ['\r\nkeep-alive: timeout=99999', true, 99_999],
    ['\r\nkeep-alive: timeout=100000', true, null],
    ['\r\nkeep-alive: timeout=5s', true, null],
    ['\r\nkeep-alive: timeout=', true, null],
    ['\r\nkeep-alive: xtimeout=5', true, null],
    ['\r\nkeep-alive: 5', true, null],
    ['\r\nx-ep-alive: timeout=5', true, null],
  ] as const) {
    const { isReusable: is, keepAliveSeconds } = head(LENGTH + fields);
    t.strictSame([is, keepAliveSeconds], [isReusable, seconds], JSON.stringify(fields));
  }
  t.equal(head(LENGTH, 'HTTP/1.0 200 OK').isReusable, false, 'HTTP/1.0');
  t.equal(head(`${LENGTH}\r\nconnection: keep-alive`, 'HTTP/1.0 200 OK').isReusable, false, 'HTTP/1.0, kept');
  t.equal(head().isReusable, false, 'up to the end of the connection');
  t.equal(head('', 'HTTP/1.1 204 OK').isReusable, true, 'without a body');
  t.end();
});
