// What the request head contains, and what must never get into it.
import { Readable } from 'node:stream';
import { test } from 'tap';
import { requestHead } from '../../../src/upstream/http1/request-head.ts';
import type { UpstreamRequest } from '../../../src/upstream/transport.ts';

const headOf = (request: Partial<UpstreamRequest> = {}) =>
  requestHead({ method: 'GET', target: '/voices', headers: [], body: null, ...request }, 'api.cartesia.ai');
const FIRST = 'host: api.cartesia.ai\r\nconnection: keep-alive\r\n';
const streamed = Readable.from([]);

test('a head names host, headers and body length', async (t) => {
  const table: readonly [Partial<UpstreamRequest>, string, { isChunked?: boolean; length?: number }][] = [
    [{}, `GET /voices HTTP/1.1\r\n${FIRST}\r\n`, {}],
    [{ target: '/x?a=b' }, `GET /x?a=b HTTP/1.1\r\n${FIRST}\r\n`, {}],
    [{ method: 'POST' }, `POST /voices HTTP/1.1\r\n${FIRST}content-length: 0\r\n\r\n`, {}],
    [
      { headers: ['accept', '*/*', 'x-note', 'caf\xe9\t"1"', 'x-empty', ''] },
      `GET /voices HTTP/1.1\r\n${FIRST}accept: */*\r\nx-note: caf\xe9\t"1"\r\nx-empty: \r\n\r\n`,
      {},
    ],
    [
      { method: 'POST', body: Buffer.from('{}'), headers: ['a', 'b'] },
      `POST /voices HTTP/1.1\r\n${FIRST}a: b\r\ncontent-length: 2\r\n\r\n`,
      {},
    ],
    [
      { method: 'POST', body: streamed, headers: ['content-length', '12', 'a', 'b'] },
      `POST /voices HTTP/1.1\r\n${FIRST}a: b\r\ncontent-length: 12\r\n\r\n`,
      { length: 12 },
    ],
    [
      { method: 'POST', body: streamed, headers: ['content-length', '0'] },
      `POST /voices HTTP/1.1\r\n${FIRST}content-length: 0\r\n\r\n`,
      {},
    ],
    [
      { method: 'POST', body: streamed },
      `POST /voices HTTP/1.1\r\n${FIRST}transfer-encoding: chunked\r\n\r\n`,
      { isChunked: true },
    ],
  ];
  for (const [request, text, rest] of table)
    t.strictSame(headOf(request), { text, isChunked: false, length: 0, ...rest }, JSON.stringify(text));
});

test('a head never contains bytes that could end a line, a field or a name', async (t) => {
  for (const target of ['', '/a b', '/a\r\nx: y', '/a\n', '\t/a', '/a\x7f', '/\xe9'])
    t.throws(() => headOf({ target }), { code: 'target' }, `target ${JSON.stringify(target)}`);
  for (const name of ['', 'a b', 'a:', ' a', 'a\r\n', 'a\n', 'a\0', '\xe9', 'a(', 'a"'])
    for (const headers of [
      [name, 'v'],
      ['accept', '*/*', name, 'v'],
    ])
      t.throws(() => headOf({ headers }), { code: 'header' }, `name ${JSON.stringify(name)}`);
  for (const value of ['a\r\nb: c', 'a\nb', 'a\rb', 'a\0', 'a\x7f', '\u0100', '\x1f'])
    t.throws(() => headOf({ headers: ['a', value, 'b', 'c'] }), { code: 'header' }, `value ${JSON.stringify(value)}`);
  for (const length of ['', '-1', '+1', '0x1', '1.5', '1e3', ' 1', '1 ', '1, 1', '1'.repeat(16)])
    t.throws(
      () => headOf({ body: streamed, headers: ['content-length', length] }),
      { code: 'header' },
      `length ${JSON.stringify(length)}`,
    );
});
