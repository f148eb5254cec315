// HTTP framing that two parsers could read differently, over raw sockets, each followed by a well-formed mint that must not run.
import { type Test, test } from 'tap';
import type { ProblemCode } from '../../src/errors/problems.ts';
import { mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';
import { isRefusedAndClosed } from './refused-connection.ts';
import { type RunningBroker, startRunningBroker } from './running-broker.ts';

/** Expects that Cartesia was not asked. One broker serves all cases of a table, so the journal is cleared for each case. */
async function isRefused(
  t: Test,
  { broker, simulator, appKey, logs }: RunningBroker,
  bytes: string,
  code: ProblemCode = 'invalid_request',
): Promise<void> {
  simulator.journal.clear();
  logs.length = 0;
  const response = await isRefusedAndClosed(t, broker.url, bytes + mintBytes({ credential: appKey }), code);
  t.strictSame(simulator.journal.entries(), [], 'Cartesia was not asked');
  t.match(logs, [{ request_id: response.json['request_id'], outcome: code, status: response.status }]);
  t.equal(logs.length, 1, 'one line in the log');
}

test('a message whose length is unclear is refused, and the connection ends', async (t) => {
  const running = await startRunningBroker(t);
  const credential = running.appKey;
  const smuggled = `0\r\n\r\nGET /livez HTTP/1.1\r\nHost: broker.test\r\n\r\n`;
  const chunked = (body: string): string => mintBytes({ credential, framing: ['Transfer-Encoding: chunked'], body });
  const lengths = (...values: string[]): string =>
    mintBytes({ credential, framing: values.map((value) => `Content-Length:${value}`) });
  const cases: Readonly<Record<string, string>> = {
    'Content-Length before Transfer-Encoding': mintBytes({
      credential,
      framing: ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      body: smuggled,
    }),
    'Transfer-Encoding before Content-Length': mintBytes({
      credential,
      framing: ['Transfer-Encoding: chunked', 'Content-Length: 5'],
      body: smuggled,
    }),
    'Content-Length twice, equal': lengths(' 2', ' 2'),
    'Content-Length twice, different': lengths(' 2', ' 0'),
    'Content-Length as a list': lengths(' 2, 2'),
    'Content-Length with a plus': lengths(' +2'),
    'Content-Length with a minus': lengths(' -2'),
    'Content-Length in hexadecimal': lengths(' 0x2'),
    'Content-Length with an underscore': lengths(' 0_2'),
    'Content-Length with a letter after it': lengths(' 2x'),
    'Content-Length of two numbers': lengths(' 2 2'),
    'Content-Length empty': lengths(' '),
    'Content-Length of 24 digits': lengths(` ${'9'.repeat(24)}`),
    'Content-Length of 24 digits, all but one of them zeros': lengths(` ${'2'.padStart(24, '0')}`),
    'Transfer-Encoding gzip, chunked': mintBytes({
      credential,
      framing: ['Transfer-Encoding: gzip, chunked'],
      body: '2\r\n{}\r\n0\r\n\r\n',
    }),
    'Transfer-Encoding identity': mintBytes({ credential, framing: ['Transfer-Encoding: identity'] }),
    'Transfer-Encoding xchunked': mintBytes({ credential, framing: ['Transfer-Encoding: xchunked'] }),
    'Transfer-Encoding with a vertical tab': mintBytes({ credential, framing: ['Transfer-Encoding: \vchunked'] }),
    'Transfer-Encoding twice': mintBytes({
      credential,
      framing: ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
      body: '2\r\n{}\r\n0\r\n\r\n',
    }),
    'chunked over HTTP/1.0': mintBytes({
      credential,
      version: 'HTTP/1.0',
      framing: ['Transfer-Encoding: chunked'],
      body: '2\r\n{}\r\n0\r\n\r\n',
    }),
    'a chunk size in C notation': chunked('0x2\r\n{}\r\n0\r\n\r\n'),
    'a chunk size with a plus': chunked('+2\r\n{}\r\n0\r\n\r\n'),
    'a chunk size with an underscore': chunked('0_2\r\n{}\r\n0\r\n\r\n'),
    'a chunk size that overflows 64 bits': chunked('10000000000000002\r\n{}\r\n0\r\n\r\n'),
    'a chunk longer than it says': chunked('1\r\n{}\r\n0\r\n\r\n'),
    'a chunk shorter than it says': chunked('3\r\n{}\r\n0\r\n\r\n'),
    'a chunk size that ends in a bare LF': chunked('2\n{}\r\n0\r\n\r\n'),
    'a chunk extension that ends in a bare LF': chunked('2;a\n{}\r\n0\r\n\r\n'),
    'a last chunk that ends in a bare LF': chunked('2\r\n{}\r\n0\n\n'),
    'a chunk extension of 17 KB': chunked(`2;${'a'.repeat(17 * 1024)}\r\n{}\r\n0\r\n\r\n`),
    'a trailer that says another length': chunked('2\r\n{}\r\n0\r\nContent-Length: 99\r\n\r\n'),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await t.test(name, async (t) => isRefused(t, running, bytes));
  }
});

test('a malformed head is refused, and the connection ends', async (t) => {
  const running = await startRunningBroker(t);
  const credential = running.appKey;
  const withField = (...fields: string[]): string => mintBytes({ credential, fields });
  const cases: Readonly<Record<string, string>> = {
    'a folded field': withField('X-A: b\r\n c'),
    'a field folded with a tab': withField('X-A: b\r\n\tc'),
    'a folded Transfer-Encoding': mintBytes({
      credential,
      framing: ['Transfer-Encoding:\r\n chunked'],
      body: '2\r\n{}\r\n0\r\n\r\n',
    }),
    'white space before the first field': mintBytes({ credential, host: ' Host: broker.test' }),
    'bare LF at every line end': mintBytes({ credential }).replaceAll('\r\n', '\n'),
    'one bare LF': withField('X-A: b\nX-B: c'),
    'a bare CR': withField('X-A: b\rc'),
    NUL: withField('X-A: b\0c'),
    'a control byte': withField('X-A: b\x01c'),
    DEL: withField('X-A: b\x7fc'),
    'white space before the colon': withField('X-A : b'),
    'white space before the colon of Content-Length': mintBytes({ credential, framing: ['Content-Length : 2'] }),
    'no colon': withField('NoColon'),
    'no name': withField(': x'),
    'white space in a name': withField('X A: b'),
    'no Host': mintBytes({ credential, host: '' }),
    'two Hosts': withField('Host: other.test'),
    'two equal Hosts': withField('Host: broker.test'),
    ...Object.fromEntries(
      [
        'broker test',
        'broker.test/x',
        'user@broker.test',
        'broker.test, other.test',
        '::1',
        '[::1',
        'broker.test:x',
        'br\xf6ker.test',
        '"x"',
      ].map((host): [string, string] => [`the Host ${host}`, mintBytes({ credential, host: `Host: ${host}` })]),
    ),
    'a target in absolute form': mintBytes({ credential, target: 'http://other.test/access-token' }),
    'a target with a control byte': mintBytes({ credential, target: '/access\x01token' }),
    'a target with a byte above ASCII': mintBytes({ credential, target: '/access\xfftoken' }),
    'a tab in the request line': mintBytes({ credential }).replace('/access-token ', '/access-token\t'),
    'an invalid method': mintBytes({ credential, method: 'P\x80ST' }),
    'an unknown method': mintBytes({ credential, method: 'MINT' }),
    'the protocol in lower case': mintBytes({ credential, version: 'http/1.1' }),
    'HTTP/1.2': mintBytes({ credential, version: 'HTTP/1.2' }),
    'HTTP/2.0 in an HTTP/1 request line': mintBytes({ credential, version: 'HTTP/2.0' }),
    'HTTP/0.9': 'GET /livez\r\n\r\n',
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    CONNECT: 'CONNECT other.test:443 HTTP/1.1\r\nHost: other.test\r\n\r\n',
    'OPTIONS *': 'OPTIONS * HTTP/1.1\r\nHost: broker.test\r\n\r\n',
    'bytes of TLS': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await t.test(name, async (t) => isRefused(t, running, bytes));
  }
});

test('a body with two media types is refused, whichever comes first', async (t) => {
  const running = await startRunningBroker(t);
  const credential = running.appKey;
  for (const [contentType, second] of [
    ['application/json', 'text/plain'],
    ['text/plain', 'application/json'],
  ] as const) {
    await isRefused(t, running, mintBytes({ credential, contentType, fields: [`content-type: ${second}`] }));
  }
  const connection = await openRaw(t, running.broker.url);
  connection.send(mintBytes({ credential, fields: ['content-type: application/json'] }));
  t.equal((await connection.response()).status, 200, 'the same one twice counts as one');
});

test('a head over the limits is refused with 431; one at the limits is served', async (t) => {
  const running = await startRunningBroker(t);
  const credential = running.appKey;
  const many = (count: number): string[] => Array.from({ length: count }, () => 'X: y');
  // Host, Authorization, Content-Type and Content-Length are four more.
  const cases: Readonly<Record<string, string>> = {
    'a header block of 17 KB': mintBytes({ credential, fields: [`X-A: ${'a'.repeat(17 * 1024)}`] }),
    'a name of 17 KB': mintBytes({ credential, fields: [`${'a'.repeat(17 * 1024)}: x`] }),
    '101 fields': mintBytes({ credential, fields: many(97) }),
    '2100 fields': mintBytes({ credential, fields: many(2096) }),
    '2100 fields with a length after the 2000th': mintBytes({
      credential,
      fields: many(2096),
      framing: ['Content-Length: 2'],
    }),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await t.test(name, async (t) => isRefused(t, running, bytes, 'headers_too_large'));
  }
  const connection = await openRaw(t, running.broker.url);
  connection.send(mintBytes({ credential, fields: many(96) }));
  t.equal((await connection.response()).status, 200, '100 fields');
});

test('unusual but unambiguous requests are served', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  const chunked = ['Transfer-Encoding: chunked'];
  const cases: Readonly<Record<string, string>> = {
    'empty lines before the request line': `\r\n\r\n${mintBytes({ credential })}`,
    chunks: mintBytes({ credential, framing: chunked, body: '1\r\n{\r\n1;x="y"\r\n}\r\n0\r\n\r\n' }),
    'Transfer-Encoding in capitals': mintBytes({
      credential,
      framing: ['TRANSFER-ENCODING: Chunked'],
      body: '2\r\n{}\r\n0\r\n\r\n',
    }),
    'a trailer with a credential': mintBytes({
      credential,
      framing: chunked,
      body: '2\r\n{}\r\n0\r\nAuthorization: Bearer other\r\nX-Broker-Subject: other\r\n\r\n',
    }),
    'fields that Connection calls its own': mintBytes({
      credential,
      fields: ['Connection: keep-alive, authorization, cartesia-version', 'Cartesia-Version: 2025-04-16'],
    }),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      simulator.journal.clear();
      const connection = await openRaw(t, broker.url);
      connection.send(bytes + mintBytes({ credential }));
      t.equal((await connection.response()).status, 200);
      t.equal((await connection.response()).status, 200, 'and the next one on the connection');
      const [mint] = simulator.journal.entries({ path: '/access-token' });
      t.equal(mint?.headers['authorization'], `Bearer ${simulator.apiKey}`, 'Cartesia receives our credential');
      t.match(mint?.headers['cartesia-version'], /^20\d\d-\d\d-\d\d$/);
      t.equal(mint?.headers['x-broker-subject'], undefined);
    });
  }

  await t.test('a credential in a trailer does not count', async (t) => {
    simulator.journal.clear();
    const connection = await openRaw(t, broker.url);
    const body = `2\r\n{}\r\n0\r\nAuthorization: Bearer ${credential}\r\n\r\n`;
    connection.send(mintBytes({ credential: null, framing: chunked, body }));
    isProblem(t, await connection.response(), 'unauthenticated');
    t.strictSame(simulator.journal.entries(), []);
  });

  await t.test('HTTP/1.0 is answered and closed, with a Host and without', async (t) => {
    for (const host of ['Host: broker.test', '']) {
      const connection = await openRaw(t, broker.url);
      connection.send(mintBytes({ credential, version: 'HTTP/1.0', host }) + mintBytes({ credential }));
      const response = await connection.response();
      t.equal(response.status, 200);
      t.equal(response.headers['connection'], 'close');
      await connection.ended();
      t.equal(connection.rest(), '');
    }
  });

  await t.test('every valid Host is accepted', async (t) => {
    for (const host of [
      '',
      'broker_1.test:8080',
      '127.0.0.1:',
      '[::1]:8080',
      '[fe80::1%25eth0]',
      'xn--brker-jua.test.',
      'a%2Db',
    ]) {
      const connection = await openRaw(t, broker.url);
      connection.send(mintBytes({ credential, host: `Host: ${host}` }));
      t.equal((await connection.response()).status, 200, host);
    }
  });

  await t.test('TRACE echoes nothing', async (t) => {
    const connection = await openRaw(t, broker.url);
    connection.send(`TRACE /access-token HTTP/1.1\r\nHost: broker.test\r\nAuthorization: Bearer ${credential}\r\n\r\n`);
    const response = await connection.response();
    isProblem(t, response, 'not_found');
    t.notOk(response.body.includes(credential));
  });

  await t.test('an upgrade to h2c or WebSocket is ignored, and the connection closes after the answer', async (t) => {
    for (const fields of [
      ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'],
      [
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version: 13',
      ],
    ]) {
      simulator.journal.clear();
      const connection = await openRaw(t, broker.url);
      connection.send(mintBytes({ credential, fields }) + mintBytes({ credential }));
      const response = await connection.response();
      t.equal(response.status, 200);
      t.equal(response.headers['connection'], 'close', 'Node drops what came after it, so the client has to know');
      await connection.ended();
      t.equal(connection.rest(), '');
      const mints = simulator.journal.entries();
      t.equal(mints.length, 1);
      t.equal(mints[0]?.headers['upgrade'], undefined);
      t.equal(mints[0]?.headers['http2-settings'], undefined);
    }
  });
});
