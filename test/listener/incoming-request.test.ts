// Bodies in many pieces: what arrives, in how many pieces, and what they hold up.
import { once } from 'node:events';
import { createServer, IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { type Test, test } from 'tap';
import { IncomingRequest } from '../../src/listener/incoming-request.ts';
import { createServer as createListener } from '../../src/listener/server.ts';
import { createCertificate } from '../upstream/certificates.ts';

const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const LAST = '0\r\n\r\n';

const connectTo = (t: Test, handler: RequestListener, Kind = IncomingRequest): Promise<Socket> =>
  connectToServer(t, createServer({ IncomingMessage: Kind }, handler));

async function connectToServer(t: Test, server: Server): Promise<Socket> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  await once(socket, 'connect');
  return socket;
}

/** One chunk for each letter. */
function crumbs(text: string): string {
  let chunks = '';
  for (const letter of text) chunks += `1\r\n${letter}\r\n`;
  return chunks;
}

/** The same in chunks of `size` bytes. */
function chunksOf(text: string, size: number): string {
  let chunks = '';
  for (let at = 0; at < text.length; at += size) {
    const chunk = text.slice(at, at + size);
    chunks += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
  }
  return chunks;
}

const letters = (count: number): string =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(97 + ((i * i) % 26))).join('');

test('a body in one-byte chunks arrives complete and in few pieces, read at once or with pauses', async (t) => {
  const text = letters(15_000);
  for (const [name, afterPiece] of [
    ['as it comes', null],
    ['with rests', turn],
  ] as const) {
    let pieces = 0;
    const socket = await connectTo(t, async (request, response) => {
      let got = '';
      for await (const piece of request) {
        pieces += 1;
        got += String(piece);
        if (afterPiece !== null) await afterPiece();
      }
      response.end(got === text ? 'whole' : 'changed');
    });
    socket.write(HEAD + crumbs(text) + LAST);
    let answers = '';
    socket.setEncoding('latin1').on('data', (some) => {
      answers += some;
    });
    while (!answers.endsWith('\r\n0\r\n\r\n') && !answers.endsWith('whole')) await once(socket, 'data');
    t.match(answers, /whole/, name);
    t.ok(pieces < 600, `${pieces} pieces, ${name}`);
    // The connection can still carry the next request.
    answers = '';
    socket.write(`${HEAD}5\r\nagain\r\n${LAST}`);
    while (!answers.includes('changed')) await once(socket, 'data');
  }
});

test('a few small pieces pass one by one and at once', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const got: string[] = [];
  const socket = await connectTo(t, (request) => {
    request.on('data', (piece) => {
      got.push(String(piece));
      if (got.length === 20) resolve();
    });
  });
  socket.write(HEAD + crumbs(letters(20)));
  await promise;
  t.strictSame(got, [...letters(20)]);
});

test('a body with a Content-Length arrives as before', async (t) => {
  const bytes = Buffer.alloc(5 * 1024 * 1024, 'b');
  const { promise, resolve } = Promise.withResolvers<number>();
  const socket = await connectTo(t, (request) => {
    let length = 0;
    request.on('data', (piece: Buffer) => {
      length += piece.length;
    });
    request.on('end', () => resolve(length));
  });
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes.length}\r\n\r\n`);
  socket.write(bytes);
  t.equal(await promise, bytes.length);
});

test('an unwanted body is read slowly after its answer, and the next request still arrives', async (t) => {
  let requests = 0;
  const answer: RequestListener = (_request, response) => {
    requests += 1;
    response.end('here');
  };
  const socket = await connectToServer(t, createListener(answer, { tls: null }));
  socket.write(HEAD);
  await once(socket, 'data');
  let pieces = 0;
  const push = IncomingMessage.prototype.push;
  IncomingMessage.prototype.push = function (this: IncomingMessage, piece: unknown): boolean {
    pieces += 1;
    return push.call(this, piece);
  };
  t.teardown(() => {
    IncomingMessage.prototype.push = push;
  });
  const startedMs = performance.now();
  socket.write(crumbs(letters(20_000)) + LAST + HEAD + LAST);
  await once(socket, 'data');
  t.equal(requests, 2);
  t.ok(pieces > 32 && pieces < 2_000, `${pieces} pieces`);
  t.ok(performance.now() - startedMs > 300, 'as slowly as one that is wanted');
});

test('more than any buffer holds arrives whole in small chunks, also over TLS and where it is taken slowly', async (t) => {
  const text = letters(600_000);
  const { key, cert } = await createCertificate({ host: '127.0.0.1' });
  const plain = createServer({ IncomingMessage: IncomingRequest });
  const encrypted = createTlsServer({ key, cert, IncomingMessage: IncomingRequest });
  for (const [name, server, pauseMs, isReadOn] of [
    ['as it comes', plain, 0, false],
    ['slowly', plain, 30, false],
    ['over TLS', encrypted, 0, false],
    ['slowly over TLS', encrypted, 30, false],
    ['while somebody else reads on', plain, 0, true],
  ] as const) {
    server.removeAllListeners('request').on('request', async (request, response) => {
      let got = '';
      const reading = isReadOn ? setInterval(() => request.socket.resume(), 0) : undefined;
      for await (const piece of request) {
        got += String(piece);
        if (pauseMs > 0) await sleep(pauseMs);
      }
      clearInterval(reading);
      response.end(got === text ? 'whole' : `${got.length} bytes`);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // it listens on a port
    const socket = server === plain ? connect(port) : connectTls({ port, rejectUnauthorized: false });
    socket.on('error', () => {});
    await once(socket, server === plain ? 'connect' : 'secureConnect');
    for (const size of [60, 3_000]) {
      socket.write(HEAD + chunksOf(text, size) + LAST);
      const [answer] = await once(socket, 'data');
      t.match(String(answer), /whole/, `${name}, in chunks of ${size}`);
    }
    socket.destroy();
    server.close();
    await once(server, 'close');
  }
});

test('in a turn one read of crumbs is taken, however much has come, and the connection waits for as long as they are worth', async (t) => {
  let inTurn = 0;
  let most = 0;
  class Counted extends IncomingRequest {
    override push(piece: Buffer | null): boolean {
      inTurn += 1;
      most = Math.max(most, inTurn);
      return super.push(piece);
    }
  }
  const socket = await connectTo(
    t,
    (request, response) => {
      request.on('end', () => response.end('whole')).resume();
    },
    Counted,
  );
  const turns = setInterval(() => {
    inTurn = 0;
  }, 0);
  t.teardown(() => clearInterval(turns));
  const startedMs = performance.now();
  socket.write(HEAD + crumbs(letters(40_000)) + LAST);
  const [answer] = await once(socket, 'data');
  t.match(String(answer), /whole/);
  t.ok(most < 12_000, `${most} pieces in a turn`); // 64 KB of six bytes each
  t.ok(performance.now() - startedMs > 1_000, 'a fiftieth of the time is theirs');
});

test('a body that nobody reads yet waits with its client', async (t) => {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
  const socket = await connectTo(t, resolve);
  socket.write(HEAD + chunksOf('b'.repeat(5_000_000), 600));
  const request = await promise;
  for (let before = -1; before !== request.readableLength; await sleep(100)) before = request.readableLength;
  t.ok(request.readableLength > 0 && request.readableLength < 500_000, `${request.readableLength} bytes are here`);
});
