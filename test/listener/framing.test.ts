// What is taken of a head, and what is refused before anything is run: at the limits and one beyond, over real sockets.
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type Test, test } from 'tap';
import type { Problem } from '../../src/errors/problems.ts';
import { createServer } from '../../src/listener/server.ts';

interface Seen {
  /** Targets that were run, in order. */
  readonly run: string[];
  readonly refused: Problem[];
  readonly text: string;
}

type Ask = (bytes: string) => Promise<Seen>;

/** Each over a connection of its own, on which the broker has the last word. */
async function asking(t: Test): Promise<Ask> {
  let run: string[] = [];
  let refused: Problem[] = [];
  const server = createServer(
    (request, response) => {
      run.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? '-'}`);
      const end = (): unknown => response.end('served');
      if (request.readableEnded) end();
      else request.resume().on('end', end);
    },
    { tls: null, onRefused: (problem) => refused.push(problem) },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return async (bytes) => {
    run = [];
    refused = [];
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1'); // it listens on a port
    let text = '';
    socket.setEncoding('latin1').on('data', (some) => {
      text += some;
    });
    socket.write(bytes, 'latin1');
    await once(socket, 'end');
    socket.destroy();
    return { run, refused, text };
  };
}

const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** It is served, and so is the request behind it. */
async function served(t: Test, ask: Ask, bytes: string, first?: string): Promise<void> {
  const { run, refused } = await ask(bytes + LAST);
  const what = JSON.stringify(bytes.slice(0, 100));
  t.strictSame([run.length, run[1], refused.length], [2, 'GET /last -', 0], what);
  if (first !== undefined) t.equal(run[0], first, what);
}

/** One answer in the one shape, and nothing is run, nor anything behind it. */
async function refusedWith(t: Test, ask: Ask, bytes: string, detail: RegExp, code = 'invalid_request'): Promise<void> {
  const { run, refused, text } = await ask(bytes + LAST);
  const what = JSON.stringify(bytes.slice(0, 100));
  t.strictSame(run, [], what);
  t.strictSame(
    refused.map((problem) => problem.code),
    [code],
    what,
  );
  t.match(refused[0]?.message, detail, what);
  t.match(text, new RegExp(`^HTTP/1.1 ${refused[0]?.status} `), what);
  t.equal(text.split('HTTP/1.1 ').length, 2, what);
  t.match(text, /connection: close/i, what);
}

const get = (target: string, fields = ''): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

test('targets, queries and fields at their limits, and one beyond', async (t) => {
  const ask = await asking(t);
  const path = (length: number): string => `/${'a'.repeat(length - 1)}`;
  const query = (length: number): string => `/?${'a'.repeat(length - 2)}`;
  const long = /target is too long/;
  await served(t, ask, get(path(8_192)));
  await served(t, ask, get(query(8_192)));
  await refusedWith(t, ask, get(path(8_193)), long);
  await refusedWith(t, ask, get(query(8_193)), long);
  const many = /too many parameters/;
  await served(t, ask, get(`/?${'&'.repeat(199)}`));
  await served(t, ask, get(`/?${'a=b&'.repeat(199)}a=b`));
  await served(t, ask, get(`/${'&'.repeat(300)}`), `GET /${'&'.repeat(300)} -`);
  await served(t, ask, get(`/${'&'.repeat(300)}?${'&'.repeat(199)}`));
  await refusedWith(t, ask, get(`/?${'&'.repeat(200)}`), many);
  await refusedWith(t, ask, get(`/?${'a=b&'.repeat(200)}`), many);
  await served(t, ask, get('/', 'x: y\r\n'.repeat(99)));
  await refusedWith(t, ask, get('/', 'x: y\r\n'.repeat(100)), /./, 'headers_too_large');
});

test('targets that another reader could take for another one, and those that nobody can', async (t) => {
  const ask = await asking(t);
  for (const target of [
    '/',
    '/a',
    '/a/',
    '/.a',
    '/a.',
    '/..a',
    '/a..',
    '/...',
    '/a.b/c',
    '/?//',
    '/?/../%2e;\\',
    '/?#',
  ])
    await served(t, ask, get(target), `GET ${target} -`);
  for (const target of [
    ...['//', '//a', '/a//', '/a//b', '/.', '/..', '/./', '/../', '/a/.', '/a/..', '/a/./b', '/a/../b'],
    ...['/a;b', '/;', '/a\\b', '/a%20', '/%', '/a#', '/a#b', '/%2e', '//?a', '/.?a', '/..?a'],
    ...['a', '?', '?/', '*', 'http://a/', 'http://a', '.', 'a/b'],
  ])
    await refusedWith(t, ask, get(target), /target is not acceptable|not well-formed/);
});

test('a Host, once', async (t) => {
  const ask = await asking(t);
  const withHost = (...hosts: string[]): string =>
    `GET / HTTP/1.1\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}\r\n`;
  for (const host of [
    '',
    'a',
    'A.b-c_d~e',
    "!$&'()*+;=%41",
    ':',
    ':8',
    'a:',
    'a:12345',
    '1.2.3.4',
    '[::1]',
    '[::1]:80',
  ])
    await served(t, ask, withHost(host));
  for (const host of [
    'a,b',
    'a b',
    'a/b',
    'a@b',
    'a:123456',
    'a:b',
    'a:1:2',
    '::1',
    '[::1',
    '[]',
    '[::1]a',
    '[a b]',
    '"a"',
  ])
    await refusedWith(t, ask, withHost(host), /a host, with or without a port/);
  for (const hosts of [[], ['a', 'a'], ['a', 'b']])
    await refusedWith(t, ask, withHost(...hosts), /must be given exactly once/);
  await refusedWith(t, ask, 'GET / HTTP/1.1\r\nhost: a\r\nHOST: a\r\n\r\n', /must be given exactly once/);
  await refusedWith(t, ask, 'GET / HTTP/1.1\r\nxost: a\r\nhosts: a\r\n\r\n', /must be given exactly once/);
  const old = await ask('GET / HTTP/1.0\r\n\r\n');
  t.strictSame([old.run, old.refused], [['GET / -'], []], 'HTTP/1.0 needs none');
  await refusedWith(t, ask, 'GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n', /must be given exactly once/);
  for (const version of ['1.2', '2.0', '0.9'])
    await refusedWith(t, ask, `GET / HTTP/${version}\r\nHost: a\r\n\r\n`, /Use HTTP\/1\.1|not well-formed/);
});

test('a length that is clear, or none', async (t) => {
  const ask = await asking(t);
  const post = (fields: string, body: string): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
  const unclear = /length of the body is not clear|not well-formed/;
  await served(t, ask, post('Content-Length: 2\r\n', '{}'));
  await served(t, ask, post(`Content-Length: ${'2'.padStart(15, '0')}\r\n`, '{}'));
  await served(t, ask, post('Transfer-Encoding: Chunked\r\n', '2\r\n{}\r\n0\r\n\r\n'));
  await served(t, ask, post('xontent-length: 9\r\nxransfer-encoding: xx\r\n', ''));
  await refusedWith(t, ask, post(`Content-Length: ${'2'.padStart(16, '0')}\r\n`, '{}'), unclear);
  await refusedWith(t, ask, post('Content-Length: 2\r\ncontent-length: 2\r\n', '{}'), unclear);
  await refusedWith(t, ask, post('Content-Length: 0\r\ncontent-length: 0\r\n', ''), unclear);
  const chunks = '0\r\n\r\n';
  await refusedWith(t, ask, post('Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n', chunks), unclear);
  await refusedWith(t, ask, post('Transfer-Encoding: chunked\r\nContent-Length: 0\r\n', chunks), unclear);
  await refusedWith(t, ask, post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', chunks), unclear);
  const only = /only Transfer-Encoding accepted is chunked|not well-formed/;
  for (const coding of ['gzip, chunked', 'identity', 'chunked, gzip', 'xchunked'])
    await refusedWith(t, ask, post(`Transfer-Encoding: ${coding}\r\n`, chunks), only);
  const old = `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
  await refusedWith(t, ask, old, only);
});

test('one type of a body, and none of no body', async (t) => {
  const ask = await asking(t);
  const send = (method: string, fields: readonly string[], body = ''): string =>
    `${method} / HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${body}`;
  const type = 'Content-Type: a/b';
  const two = /is given twice, with different values/;
  await served(t, ask, send('POST', [type, 'Content-Length: 2'], '{}'), 'POST / a/b');
  await served(t, ask, send('POST', [type, 'content-type: a/b', 'Content-Length: 2'], '{}'), 'POST / a/b');
  await served(t, ask, send('POST', [type, 'xontent-type: c/d', 'Content-Length: 2'], '{}'), 'POST / a/b');
  await refusedWith(t, ask, send('POST', [type, 'content-type: a/c', 'Content-Length: 2'], '{}'), two);
  await refusedWith(t, ask, send('POST', [type, type, 'Content-Type: A/b', 'Content-Length: 2'], '{}'), two);
  await refusedWith(t, ask, send('POST', [type, 'Content-Type: c/d', type, 'Content-Length: 2'], '{}'), two);
  await served(t, ask, send('POST', [type]), 'POST / -');
  await served(t, ask, send('POST', [type, 'Content-Length: 0']), 'POST / a/b');
  await served(t, ask, send('POST', [type, 'Transfer-Encoding: chunked'], '0\r\n\r\n'), 'POST / a/b');
  await served(t, ask, send('DELETE', [type]), 'DELETE / -');
  await served(t, ask, send('DELETE', [type, 'Content-Length: 0']), 'DELETE / -');
  await served(t, ask, send('DELETE', [type, 'Content-Length: 1'], '1'), 'DELETE / a/b');
  await served(t, ask, send('DELETE', [type, 'Transfer-Encoding: chunked'], '0\r\n\r\n'), 'DELETE / a/b');
});
