// What every transport must do when Cartesia misbehaves, over real sockets. The broker's users depend on each line.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { createTrust } from '../../src/upstream/trust.ts';
import { createAuthority, createCertificate } from './certificates.ts';
import { type RawRequest, type RawUpstream, type RawUpstreamOptions, startRawUpstream } from './raw-upstream.ts';
import { ask, NAMES, type TransportName, type TransportSettings, transportTo } from './transport-under-test.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}';
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';

interface Setting {
  readonly upstream: RawUpstream;
  readonly transport: ReturnType<typeof transportTo>;
}

async function setUp(
  t: Test,
  name: TransportName,
  onRequest: (request: RawRequest) => void,
  settings: TransportSettings & RawUpstreamOptions = {},
): Promise<Setting> {
  const upstream = await startRawUpstream(onRequest, settings);
  const transport = transportTo(name, upstream.url, settings);
  t.teardown(async () => {
    await transport.close();
    await upstream.close();
  });
  return { upstream, transport };
}

/** Not valid responses. After each, the next request goes over a new connection and succeeds. */
const REFUSED: Readonly<Record<string, string>> = {
  'no HTTP': 'nobody speaks like this\r\n\r\n',
  'a status that is not a number': 'HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n',
  'two lengths that differ': 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ',
  'two equal lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}',
  'a list of lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\n{}',
  'a signed length': 'HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n{}',
  'a hexadecimal length': 'HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\n{}',
  'a length of 24 digits': `HTTP/1.1 200 OK\r\ncontent-length: ${'9'.repeat(24)}\r\n\r\n{}`,
  'a length and chunks':
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  'chunks and a length':
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  'a bare LF': 'HTTP/1.1 200 OK\ncontent-length: 2\n\n{}',
  'a bare CR in a value': 'HTTP/1.1 200 OK\r\nx-a: b\rc: d\r\ncontent-length: 2\r\n\r\n{}',
  'a NUL in a value': 'HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 2\r\n\r\n{}',
  'a folded field': 'HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\ncontent-length: 2\r\n\r\n{}',
  'a space before the colon': 'HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\n{}',
  'a field without a name': 'HTTP/1.1 200 OK\r\n: b\r\ncontent-length: 2\r\n\r\n{}',
  'a field without a colon': 'HTTP/1.1 200 OK\r\nnocolon\r\ncontent-length: 2\r\n\r\n{}',
  'a head of 20 KB': `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(20_000)}\r\ncontent-length: 2\r\n\r\n{}`,
  'a head of 20 KB without an end': `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(20_000)}`,
  'a chunk size that is not a number': `${CHUNKED}g\r\n{}\r\n0\r\n\r\n`,
  'a chunk size with a prefix': `${CHUNKED}0x2\r\n{}\r\n0\r\n\r\n`,
  'a signed chunk size': `${CHUNKED}+2\r\n{}\r\n0\r\n\r\n`,
  'an empty chunk size': `${CHUNKED}\r\n{}\r\n0\r\n\r\n`,
  'a chunk size of 17 digits': `${CHUNKED}10000000000000002\r\n{}\r\n0\r\n\r\n`,
  'a chunk size line that ends in LF': `${CHUNKED}2\n{}\r\n0\r\n\r\n`,
  'a chunk extension without a name': `${CHUNKED}2;\r\n{}\r\n0\r\n\r\n`,
  'a semicolon after a chunk extension': `${CHUNKED}2;a;\r\n{}\r\n0\r\n\r\n`,
  'a chunk that is longer than it says': `${CHUNKED}2\r\n{}x\r\n0\r\n\r\n`,
  'an upgrade that nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
  'an upgrade to nothing': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'a status below 100': 'HTTP/1.1 099 OK\r\ncontent-length: 2\r\n\r\n{}',
  'a status of zeros': 'HTTP/1.1 000 OK\r\n\r\n',
};

/** Responses broken off before they are complete. */
const CUT: Readonly<Record<string, string>> = {
  'before the head': '',
  'inside the head': 'HTTP/1.1 200 OK\r\ncontent-le',
  'inside a body of a length': 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}',
  'inside a chunk': `${CHUNKED}a\r\n{}`,
  'without the last chunk': `${CHUNKED}2\r\n{}\r\n`,
  'inside the last chunk': `${CHUNKED}2\r\n{}\r\n0\r\n`,
  'inside a trailer': `${CHUNKED}2\r\n{}\r\n0\r\nx-a: b\r\n`,
  'after 100 Continue': 'HTTP/1.1 100 Continue\r\n\r\n',
};

/** The body ends with the connection: after a FIN it is complete. */
const TO_THE_END = 'HTTP/1.1 200 OK\r\n\r\n{}';

/** Unusual but valid. */
const TAKEN: Readonly<Record<string, readonly [bytes: string, status: number, body: string]>> = {
  'no reason phrase': ['HTTP/1.1 200\r\ncontent-length: 2\r\n\r\n{}', 200, '{}'],
  'an empty body': ['HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 200, ''],
  'names in capitals, values padded': ['HTTP/1.1 200 OK\r\nX-A: \t b \t\r\nCONTENT-LENGTH: 2\r\n\r\n{}', 200, '{}'],
  chunks: [`${CHUNKED}1\r\n{\r\n1\r\n}\r\n0\r\n\r\n`, 200, '{}'],
  'chunk sizes in capitals, with zeros': [`${CHUNKED}00A\r\n0123456789\r\n000\r\n\r\n`, 200, '0123456789'],
  'chunk extensions': [`${CHUNKED}2;a;b=c\r\n{}\r\n0;d=e\r\n\r\n`, 200, '{}'],
  'trailers, which are dropped': [`${CHUNKED}2\r\n{}\r\n0\r\nx-b: c\r\nx-a: b\r\n\r\n`, 200, '{}'],
  'informational answers first': [
    `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${OK}`,
    200,
    '{}',
  ],
  '204, which has no body': ['HTTP/1.1 204 No Content\r\n\r\n', 204, ''],
  '304, which has none': ['HTTP/1.1 304 Not Modified\r\n\r\n', 304, ''],
  'an error with a body': ['HTTP/1.1 503 Down\r\ncontent-length: 4\r\n\r\nbusy', 503, 'busy'],
  'bytes above ASCII': ['HTTP/1.1 200 \xff\r\nx-a: \xe9\r\ncontent-length: 2\r\n\r\n\xff\x00', 200, '\xff\x00'],
};

for (const name of NAMES) {
  test(`${name}: what is not valid HTTP/1.1 is refused, and its connection is not reused`, async (t) => {
    for (const [what, bytes] of Object.entries(REFUSED)) {
      await t.test(what, async (t) => {
        const { upstream, transport } = await setUp(t, name, ({ socket, number }) => {
          socket.write(number === 1 ? bytes : OK, 'latin1');
        });
        const { failure, calls } = await ask(transport).over;
        t.match(failure?.kind, /^(malformed|oversized|cut)$/);
        t.equal(calls.filter((call) => call === 'end').length, 0);
        t.equal(calls.at(-1), 'failure');
        t.equal((await ask(transport).over).outcome, '200 {}');
        t.equal(upstream.connections, 2);
        t.equal(upstream.requests.length, 2, 'nothing is sent twice');
      });
    }
  });

  for (const end of ['FIN', 'RST'] as const) {
    test(`${name}: ${end} before an answer is complete is a failure, never an end`, async (t) => {
      for (const [what, bytes] of Object.entries(CUT)) {
        await t.test(what, async (t) => {
          const { upstream, transport } = await setUp(t, name, ({ socket, number }) => {
            if (number > 1) socket.write(OK);
            else if (end === 'FIN') socket.end(bytes, 'latin1');
            else socket.write(bytes, 'latin1', () => socket.resetAndDestroy());
          });
          const { failure, calls } = await ask(transport).over;
          t.equal(failure?.kind, 'cut');
          t.equal(calls.at(-1), 'failure');
          t.equal((await ask(transport).over).outcome, '200 {}');
          t.equal(upstream.requests.length, 2);
        });
      }
    });
  }

  test(`${name}: RST in a body that ends with the connection is a failure, also for a slow reader`, async (t) => {
    for (const isSlow of [false, true]) {
      const { upstream, transport } = await setUp(t, name, ({ socket }) => void socket.write(TO_THE_END));
      const heard = Promise.withResolvers<void>();
      const hearing = ask(transport, {
        onData() {
          if (isSlow) hearing.control?.pause();
          heard.resolve();
          return false;
        },
      });
      await heard.promise;
      for (const socket of upstream.sockets) socket.resetAndDestroy();
      if (isSlow) hearing.control?.resume();
      const { failure, calls } = await hearing.over;
      t.equal(failure?.kind, 'cut');
      t.equal(hearing.body.toString(), '{}', 'what had arrived was passed on');
      t.strictSame(calls, ['sent', 'head', 'failure']);
    }
  });

  test(`${name}: an unusual but valid answer is accepted, whole or byte by byte, and its connection is reused`, async (t) => {
    for (const [what, [bytes, status, body]] of Object.entries(TAKEN)) {
      await t.test(what, async (t) => {
        const { upstream, transport } = await setUp(
          t,
          name,
          ({ socket, number }) => {
            if (number === 1) socket.write(bytes, 'latin1');
            else void drip(socket, bytes);
          },
          { connections: 1 },
        );
        for (let time = 0; time < 2; time += 1) {
          const hearing = await ask(transport).over;
          t.equal(hearing.outcome, `${status} ${body}`);
          t.equal(hearing.dataBytes, body.length);
          t.strictSame(hearing.calls, ['sent', 'head', 'end']);
        }
        t.equal(upstream.connections, 1);
      });
    }
  });

  test(`${name}: the last piece of a body is recognized by the announced length`, async (t) => {
    const rest = Promise.withResolvers<void>();
    const { transport } = await setUp(t, name, ({ socket }) => {
      // Five bytes come first, which other fields have as their value.
      socket.write('HTTP/1.1 200 OK\r\nage: 5\r\nx-a-name-of-14: 5\r\nContent-Length: 7\r\n\r\n{"a":');
      rest.promise.then(() => socket.write('1}'));
    });
    const heard = Promise.withResolvers<void>();
    const hearing = ask(transport, {
      onData() {
        heard.resolve();
        return false;
      },
    });
    await heard.promise;
    t.equal(hearing.isLast, false);
    rest.resolve();
    t.equal((await hearing.over).outcome, '200 {"a":1}');
    t.equal(hearing.isLast, true);
  });

  test(`${name}: the last answer on a connection is complete, and nothing follows it`, async (t) => {
    const last: Readonly<Record<string, string>> = {
      'connection: close': 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}',
      'HTTP/1.0': 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}',
      'up to the end of the connection': 'HTTP/1.1 200 OK\r\n\r\n{}',
    };
    for (const [what, bytes] of Object.entries(last)) {
      await t.test(what, async (t) => {
        // Where it has said so the other side need not close it: that is ours to do.
        const isSaid = what !== 'up to the end of the connection';
        const answer = ({ socket }: RawRequest): unknown => (isSaid ? socket.write(bytes) : socket.end(bytes));
        const { upstream, transport } = await setUp(t, name, answer, { connections: 1 });
        t.equal((await ask(transport).over).outcome, '200 {}');
        t.equal((await ask(transport).over).outcome, '200 {}');
        t.equal(upstream.connections, 2);
      });
    }
  });

  test(`${name}: bytes after a complete answer reach nobody`, async (t) => {
    const answer = ({ socket, number }: RawRequest): unknown =>
      socket.write(number === 1 ? `${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil` : OK);
    const { upstream, transport } = await setUp(t, name, answer, { connections: 1 }); // whoever comes next waits for this one
    t.equal((await ask(transport).over).outcome, '200 {}');
    t.equal((await ask(transport).over).outcome, '200 {}');
    t.equal(upstream.connections, 2);
  });

  test(`${name}: a connection closed without notice after its answer takes no further request`, async (t) => {
    const { upstream, transport } = await setUp(t, name, ({ socket }) => void socket.end(OK), { connections: 1 });
    for (let request = 1; request <= 20; request += 1) {
      // Asks as soon as the connection may count as idle, which is before its end is seen.
      const hearing = ask(transport);
      await hearing.over;
      t.equal(hearing.outcome, '200 {}');
    }
    const together = Array.from({ length: 20 }, () => ask(transport));
    for (const hearing of together) t.equal((await hearing.over).outcome, '200 {}');
    t.equal(upstream.connections, 40);
  });

  test(`${name}: bytes on an idle connection close it`, async (t) => {
    const { upstream, transport } = await setUp(t, name, ({ socket }) => socket.write(OK));
    t.equal((await ask(transport).over).outcome, '200 {}');
    const [socket] = upstream.sockets;
    socket?.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil');
    if (socket !== undefined) await once(socket, 'close');
    t.equal((await ask(transport).over).outcome, '200 {}');
    t.equal(upstream.connections, 2);
  });

  test(`${name}: a refused connection is unreachable, a silent one is a connect timeout`, async (t) => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo; // it listens on a port
    closed.close();
    await once(closed, 'close');
    const transport = transportTo(name, `http://127.0.0.1:${port}`);
    t.teardown(() => transport.close());
    const hearing = await ask(transport).over;
    t.equal(hearing.failure?.kind, 'unreachable');
    t.strictSame(hearing.calls, ['failure']);

    // This listener accepts connections but never starts TLS.
    const mute = createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    t.teardown(() => mute.close());
    const slow = transportTo(name, `https://127.0.0.1:${(mute.address() as AddressInfo).port}`, {
      connectTimeoutMs: 50,
    });
    t.teardown(() => slow.close());
    const late = await ask(slow).over;
    t.equal(late.failure?.kind, 'connect_timeout');
    t.strictSame(late.calls, ['failure']);
  });

  test(`${name}: the time to connect is over with the connection`, async (t) => {
    const authority = await createAuthority();
    const encrypted = { tls: await authority.issue({ host: '127.0.0.1' }), trust: createTrust([authority.cert]) };
    for (const settings of [{}, encrypted]) {
      const { upstream, transport } = await setUp(
        t,
        name,
        ({ socket, number }) => void setTimeout(() => socket.write(OK), number === 1 ? 700 : 0),
        { connections: 1, connectTimeoutMs: 500, ...settings },
      );
      t.equal((await ask(transport).over).outcome, '200 {}');
      t.equal((await ask(transport).over).outcome, '200 {}');
      t.equal(upstream.connections, 1);
    }
  });

  test(`${name}: a request goes only to an upstream whose certificate proves it is the host`, async (t) => {
    const authority = await createAuthority();
    const other = await createAuthority('another authority');
    const trust = createTrust([authority.cert]);
    const past = { notBefore: new Date(Date.now() - 2 * 86_400_000), notAfter: new Date(Date.now() - 86_400_000) };
    const bad = {
      'signed by itself': await createCertificate({ host: '127.0.0.1' }),
      'of another authority': await other.issue({ host: '127.0.0.1' }),
      'for another name': await authority.issue({ host: 'other.test' }),
      expired: await authority.issue({ host: '127.0.0.1', ...past }),
    };
    for (const [what, tls] of Object.entries(bad)) {
      await t.test(what, async (t) => {
        const { upstream, transport } = await setUp(t, name, ({ socket }) => socket.write(OK), {
          tls,
          trust,
        });
        const hearing = await ask(transport, { headers: ['authorization', 'Bearer secret'] }).over;
        t.equal(hearing.failure?.kind, 'tls');
        t.strictSame(hearing.calls, ['failure']);
        t.equal(upstream.received, '', 'the key was not sent');
      });
    }
    await t.test('the right one', async (t) => {
      const { upstream, transport } = await setUp(t, name, ({ socket }) => socket.write(OK), {
        connections: 1,
        tls: await authority.issue({ host: '127.0.0.1' }),
        trust,
      });
      t.equal((await ask(transport).over).outcome, '200 {}');
      t.equal((await ask(transport).over).outcome, '200 {}');
      t.equal(upstream.connections, 1);
    });
  });

  test(`${name}: connections are bounded, and requests are served in order of arrival`, async (t) => {
    const open: RawRequest[] = [];
    const { upstream, transport } = await setUp(t, name, (request) => void open.push(request), { connections: 2 });
    const hearings = Array.from({ length: 6 }, (_, at) => ask(transport, { target: `/${at}` }));
    for (let served = 0; served < 6; served += 1) {
      await upstream.untilRequests(served + 1);
      while (open.length === 0) await once(upstream.sockets.values().next().value ?? t, 'data');
      open.shift()?.socket.write(OK);
      t.ok(upstream.connections <= 2);
    }
    for (const hearing of hearings) t.equal((await hearing.over).outcome, '200 {}');
    const order = upstream.requests.map(({ head }) => head.split(' ')[1]);
    t.strictSame(order.slice(2), ['/2', '/3', '/4', '/5']);
  });

  test(`${name}: a connection handed to a waiting request is not free for a newer one`, async (t) => {
    const { upstream, transport } = await setUp(t, name, () => {}, { connections: 1 });
    const answer = (number: number): unknown => upstream.requests[number - 1]?.socket.write(OK);
    const [first, second] = [ask(transport), ask(transport)];
    await upstream.untilRequests(1);
    answer(1);
    await first.over;
    await upstream.untilRequests(2);
    const third = ask(transport);
    await sleep(20); // nothing signals that a request was not sent
    t.equal(upstream.requests.length, 2);
    answer(2);
    t.equal((await second.over).outcome, '200 {}');
    await upstream.untilRequests(3);
    answer(3);
    t.equal((await third.over).outcome, '200 {}');
    t.equal(upstream.connections, 1);
  });

  test(`${name}: an idle connection is closed before the other side would close it, and otherwise kept`, async (t) => {
    let seconds = 600;
    const answer = ({ socket }: RawRequest): unknown =>
      socket.write(OK.replace('\r\n', `\r\nkeep-alive: timeout=${seconds}\r\n`));
    const { upstream, transport } = await setUp(t, name, answer, { connections: 1 });
    for (const [hint, connections] of [
      [600, 1],
      [1, 1],
      [2, 2],
    ] as const) {
      seconds = hint;
      await ask(transport).over;
      t.equal(upstream.connections, connections, `before an answer that says ${hint}`);
      const [socket] = upstream.sockets;
      if (hint !== 600 && socket !== undefined) {
        const startedMs = performance.now();
        await once(socket, 'close');
        t.ok(performance.now() - startedMs < hint * 1_000, `${hint} s`);
      }
    }
  });

  test(`${name}: a request that waits for a connection that breaks gets another one`, async (t) => {
    const { upstream, transport } = await setUp(
      t,
      name,
      ({ socket, number }) => (number === 1 ? socket.destroy() : socket.write(OK)),
      { connections: 1 },
    );
    const first = ask(transport);
    const second = ask(transport);
    t.equal((await first.over).failure?.kind, 'cut');
    t.equal((await second.over).outcome, '200 {}');
    t.equal(upstream.requests.length, 2);
  });

  test(`${name}: an abort ends the connection at once, in every phase`, async (t) => {
    const phases: Readonly<Record<string, string>> = {
      'before the head': '',
      'inside the head': 'HTTP/1.1 200 OK\r\n',
      'inside a body': 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}',
      'inside a chunk': `${CHUNKED}a\r\n{}`,
    };
    for (const [what, bytes] of Object.entries(phases)) {
      await t.test(what, async (t) => {
        const { upstream, transport } = await setUp(t, name, ({ socket, number }) => {
          socket.write(number === 1 ? bytes : OK);
        });
        const hearing = ask(transport);
        await upstream.untilRequests(1);
        const [socket] = upstream.sockets;
        const gone = new Promise((resolve) => socket?.on('close', resolve));
        const start = performance.now();
        hearing.control?.abort();
        await gone;
        t.ok(performance.now() - start < 100);
        hearing.control?.abort();
        t.notOk(hearing.calls.includes('end'));
        t.equal((await ask(transport).over).outcome, '200 {}');
      });
    }
  });

  test(`${name}: a request aborted when its turn comes is not sent`, async (t) => {
    const { upstream, transport } = await setUp(t, name, ({ socket }) => socket.write(OK));
    const hearing = ask(transport);
    hearing.onSent = (control) => control.abort();
    t.equal((await ask(transport).over).outcome, '200 {}');
    t.equal(upstream.requests.length, 1);
  });

  test(`${name}: pausing stops the other side, resuming loses nothing`, async (t) => {
    const piece = Buffer.alloc(256 * 1024, 'x');
    const total = 64 * 1024 * 1024;
    let written = 0;
    const { upstream, transport } = await setUp(t, name, ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
      const more = (): void => {
        while (written < total) {
          written += piece.length;
          if (!socket.write(piece)) break;
        }
      };
      socket.on('drain', more);
      more();
    });
    let received = 0;
    let pauseAt = 1024 * 1024;
    let stalled = Promise.withResolvers<void>();
    const hearing = ask(transport, {
      onData() {
        received = hearing.dataBytes;
        hearing.body = Buffer.alloc(0);
        if (received > pauseAt) {
          hearing.control?.pause();
          stalled.resolve();
        }
        return false;
      },
    });
    for (const time of ['first', 'second']) {
      await stalled.promise;
      for (let before = -1; before !== written; ) {
        before = written;
        await new Promise((resolveLater) => setTimeout(resolveLater, 50));
      }
      t.ok(written < total / 2, `${written} bytes were taken, ${time} time`);
      t.ok(received < pauseAt + 2 * 1024 * 1024, `${received} bytes came after the pause, ${time} time`);
      if (time === 'second') break;
      stalled = Promise.withResolvers<void>();
      pauseAt = received + 1024 * 1024;
      hearing.control?.resume();
    }
    hearing.onData = (_chunk, dataBytes) => {
      received += dataBytes;
      return false;
    };
    hearing.control?.resume();
    await hearing.over;
    t.equal(received, total);
    t.equal(upstream.connections, 1);
  });

  test(`${name}: bodies are sent unchanged, from a buffer or from a stream of announced length`, async (t) => {
    const { upstream, transport } = await setUp(t, name, ({ socket }) => socket.write(OK), { connections: 1 });
    const json = Buffer.from('{"text":"\u00e9"}');
    t.equal((await ask(transport, { method: 'POST', target: '/tts/bytes?a=b', body: json }).over).outcome, '200 {}');
    t.match(upstream.requests[0]?.head, /^POST \/tts\/bytes\?a=b HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/i);
    t.match(upstream.requests[0]?.head, new RegExp(`content-length: ${json.length}`, 'i'));
    t.equal(upstream.requests[0]?.body, json.toString('latin1'));

    const pieces = ['a', 'bc', 'def'].map((text) => Buffer.from(text.repeat(10_000)));
    const length = String(pieces.reduce((sum, { length: bytes }) => sum + bytes, 0));
    const announced = { method: 'POST', headers: ['content-length', length], body: Readable.from(pieces) } as const;
    t.equal((await ask(transport, announced).over).outcome, '200 {}');
    t.equal(upstream.requests[1]?.body, Buffer.concat(pieces).toString('latin1'));

    const large = Buffer.alloc(300_000, 'y');
    t.equal((await ask(transport, { method: 'POST', body: large }).over).outcome, '200 {}');
    t.equal(upstream.requests[2]?.body.length, large.length);
    t.equal(upstream.connections, 1);
  });

  test(`${name}: a body of unknown length is sent in chunks`, async (t) => {
    let received = '';
    const server = createServer((socket) => {
      socket.setEncoding('latin1').on('data', (text: string) => {
        received += text;
        if (received.endsWith('0\r\n\r\n')) socket.write(OK);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const transport = transportTo(name, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.teardown(() => transport.close());
    // An empty piece must not end the body, as an empty chunk would.
    const body = Readable.from([Buffer.from('hello '), Buffer.alloc(0), Buffer.from('world')]);
    t.equal((await ask(transport, { method: 'POST', body }).over).outcome, '200 {}');
    const [head = '', ...rest] = received.split('\r\n\r\n');
    t.match(head, /transfer-encoding: chunked/i);
    t.notMatch(head, /content-length/i);
    t.equal(rest.join('\r\n\r\n'), '6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n');
  });

  test(`${name}: a body that breaks off or differs from its announced length is never a complete request`, async (t) => {
    const bodies: Readonly<Record<string, () => Readable>> = {
      'it breaks off': () =>
        new Readable({
          read() {
            this.push('half');
            this.destroy(new Error('broken'));
          },
        }),
      'it is too short': () => Readable.from([Buffer.from('four')]),
      'it is too long': () => Readable.from([Buffer.alloc(11)]),
    };
    for (const [what, body] of Object.entries(bodies)) {
      await t.test(what, async (t) => {
        const { upstream, transport } = await setUp(t, name, ({ socket }) => socket.write(OK));
        const hearing = await ask(transport, { method: 'POST', headers: ['content-length', '10'], body: body() }).over;
        t.ok(hearing.failure);
        t.equal(upstream.requests.length, 0);
        t.equal((await ask(transport).over).outcome, '200 {}');
      });
    }
  });

  test(`${name}: an answer before the upload is complete ends the upload`, async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nfull'));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const transport = transportTo(name, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.teardown(() => transport.close());
    const body = new PassThrough();
    body.on('error', () => {});
    body.write('some');
    const ended = once(body, 'close');
    const hearing = await ask(transport, { method: 'POST', headers: ['content-length', '1000'], body }).over;
    t.equal(hearing.outcome, '413 full');
    await ended;
    t.ok(body.destroyed, 'its producer is told');
  });

  test(`${name}: an upload waits while upstream does not read`, async (t) => {
    const server = createServer((socket) => void socket.on('error', () => {}).pause()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const transport = transportTo(name, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.teardown(async () => {
      await transport.close();
      server.close();
    });
    let made = 0;
    const body = new Readable({
      read() {
        made += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    const hearing = ask(transport, { method: 'POST', body });
    for (let before = -1; before !== made; ) {
      before = made;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    t.ok(made < 32 * 1024 * 1024, `${made} bytes were made`);
    hearing.control?.abort();
    if (!body.destroyed) await once(body, 'close').catch(() => {});
    t.ok(body.destroyed);
  });

  test(`${name}: an upload resumes when upstream reads again`, async (t) => {
    const length = 16 * 1024 * 1024;
    let arrived = 0;
    const server = createServer((socket) => {
      socket.on('error', () => {}).pause();
      setTimeout(() => socket.resume(), 100);
      socket.on('data', (bytes) => {
        arrived += bytes.length;
        if (arrived > length) socket.end(OK);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const transport = transportTo(name, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.teardown(async () => {
      await transport.close();
      server.close();
    });
    const body = Readable.from(Array.from({ length: 256 }, () => Buffer.alloc(65_536)));
    const upload = ask(transport, { method: 'POST', headers: ['content-length', String(length)], body });
    t.equal((await upload.over).outcome, '200 {}');
  });

  test(`${name}: a body that broke before its turn fails the request at once`, async (t) => {
    const { upstream, transport } = await setUp(t, name, ({ socket }) => socket.write(OK));
    const body = new PassThrough();
    const broken = new Promise((resolve) => body.on('close', resolve));
    body.on('error', () => {}).destroy(new Error('broken'));
    await broken;
    t.ok((await ask(transport, { method: 'POST', headers: ['content-length', '10'], body }).over).failure);
    t.equal(upstream.requests.length, 0);
  });

  test(`${name}: nothing that could end a line is written`, async (t) => {
    const { upstream, transport } = await setUp(t, name, ({ socket }) => socket.write(OK));
    const evil = [
      { target: '/a\r\nx: y' },
      { target: '/a b' },
      { headers: ['x-a', 'b\r\nc: d'] },
      { headers: ['x a', 'b'] },
    ];
    for (const request of evil) t.ok((await ask(transport, request).over).failure);
    t.equal(upstream.received, '');
  });

  test(`${name}: closing ends running requests and refuses new ones`, async (t) => {
    const { upstream, transport } = await setUp(t, name, () => {}, { connections: 1 });
    const running = ask(transport);
    const waiting = ask(transport);
    await upstream.untilRequests(1);
    await transport.close();
    t.ok((await running.over).failure);
    t.ok((await waiting.over).failure);
    t.ok((await ask(transport).over).failure);
    await transport.close();
  });
}

test('native: pausing on the last piece holds up no other request', async (t) => {
  const { upstream, transport } = await setUp(t, 'native', ({ socket }) => socket.write(OK), { connections: 1 });
  const slow = ask(transport, {
    onData() {
      slow.control?.pause();
      return false;
    },
  });
  t.equal((await slow.over).outcome, '200 {}');
  slow.control?.pause(); // too late to mean anything
  t.equal((await ask(transport).over).outcome, '200 {}');
  t.equal(upstream.connections, 1);
});

test('native: a connection whose request was answered before all of it had left takes no other request', async (t) => {
  const body = Buffer.alloc(16 * 1024 * 1024); // more than the system's buffers hold
  for (const [what, makeBody] of Object.entries({ buffer: () => body, stream: () => Readable.from([body]) })) {
    await t.test(what, async (t) => {
      let connections = 0;
      const server = createServer((socket) => {
        connections += 1;
        socket.on('error', () => {});
        socket.once('data', () => socket.pause().write('HTTP/1.1 429 Slow\r\ncontent-length: 4\r\n\r\nfull'));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const transport = transportTo('native', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      t.teardown(async () => {
        await transport.close();
        server.close();
      });
      const headers = ['content-length', String(body.length)];
      t.equal((await ask(transport, { method: 'POST', headers, body: makeBody() }).over).outcome, '429 full');
      await new Promise((resolve) => setTimeout(resolve, 50)); // by then a connection would be free for reuse
      const next = ask(transport).over.then(({ outcome }) => outcome);
      t.equal(await Promise.race([next, sleep(2_000, 'no answer', { ref: false })]), '429 full');
      t.equal(connections, 2);
    });
  }
});

test('native refuses versions and protocols other than HTTP/1.x, even where undici accepts them', async (t) => {
  for (const protocol of ['RTSP/1.0', 'ICE/1.0', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1']) {
    const { transport } = await setUp(t, 'native', ({ socket }) => {
      socket.write(`${protocol} 200 OK\r\ncontent-length: 0\r\n\r\n`);
    });
    t.equal((await ask(transport).over).failure?.kind, 'malformed', protocol);
  }
});

async function drip(socket: RawRequest['socket'], bytes: string): Promise<void> {
  for (const byte of bytes) {
    socket.write(byte, 'latin1');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
