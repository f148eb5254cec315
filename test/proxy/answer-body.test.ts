// Which parts of an answer are sent together, and when.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { type Test, test } from 'tap';
import { AnswerBody } from '../../src/proxy/answer-body.ts';
import { createCertificate } from '../upstream/certificates.ts';
import { realResponse } from './real-response.ts';

/** `writes`: how often the connection was written to. */
async function stage(t: Test) {
  const { response, answer } = await realResponse(t);
  if (response.socket === null) throw new Error('no connection');
  return { response, answer, writes: countWrites(response.socket) };
}

/** Each write is one system call and, on a connection without Nagle's algorithm, at least one packet. */
function countWrites(connection: Writable): () => number {
  let count = 0;
  const { _write: one, _writev: many } = connection;
  if (many === undefined) throw new Error('a connection writes lists');
  connection._write = (...args) => {
    count += 1;
    one.apply(connection, args);
  };
  connection._writev = (...args) => {
    count += 1;
    many.apply(connection, args);
  };
  return () => count;
}

const LARGE = Buffer.alloc(20_000, 'speech ');

test('head, chunks and end from one turn leave in one write', async (t) => {
  const { response, answer, writes } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, false);
  body.write(LARGE);
  body.write(Buffer.from('and more'));
  body.end();
  const { body: received } = await answer;
  t.equal(received.toString(), `${LARGE}and more`);
  t.equal(writes(), 1);
});

test('data from a later turn does not wait, and again takes one write', async (t) => {
  const { response, answer, writes } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, false);
  body.write(LARGE);
  await new Promise(setImmediate);
  t.equal(writes(), 1);
  body.write(Buffer.from('and more'));
  await new Promise(setImmediate);
  t.equal(writes(), 2);
  body.endWith(Buffer.from('!'));
  t.equal((await answer).body.toString(), `${LARGE}and more!`);
  t.equal(writes(), 3);
});

test('chunks of every size arrive unchanged, and an empty one does not end the answer', async (t) => {
  const { response, answer } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, false);
  const pieces = [0, 1, 15, 16, 4_079, 4_080, 4_081, 70_000, 0].map((length) => Buffer.alloc(length, `${length} `));
  for (const piece of pieces) {
    body.write(piece);
    if (piece.length > 4_080) await new Promise(setImmediate);
  }
  body.endWith(Buffer.from('!'));
  const { body: received, isComplete } = await answer;
  t.strictSame(received, Buffer.concat([...pieces, Buffer.from('!')]));
  t.equal(isComplete, true);
});

test('data from one turn arrives in order, even if it is more than one buffer holds', async (t) => {
  const { response, answer } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, false);
  const pieces = [10, 70_000, 10, 50_000, 50_000, 10].map((length, at) => Buffer.alloc(length, `${at} `));
  for (const piece of pieces) body.write(piece);
  body.end();
  t.strictSame((await answer).body, Buffer.concat(pieces));
});

/** Lets writes leave, while nobody reads. */
const turn = () => new Promise<void>((resolve) => process.nextTick(() => process.nextTick(resolve)));

test('data the kernel has not taken stays unchanged while more is gathered', async (t) => {
  const { response, answer } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, false);
  const pieces = Array.from({ length: 400 }, (_, at) => Buffer.alloc(50_000, `${at} `));
  let told = 0;
  for (const piece of pieces) {
    if (!body.write(piece)) told += 1;
    await turn();
  }
  t.ok(told > 0, 'the writer is told that the reader is slow');
  t.equal(body.isPending, true);
  await new Promise<void>((resolve) => body.onDrain(resolve));
  body.end();
  t.strictSame((await answer).body, Buffer.concat(pieces));
});

test('two answers written in the same turn do not mix', async (t) => {
  const stages = [await stage(t), await stage(t)];
  const bodies = stages.map(({ response }) => {
    response.writeHead(200, ['transfer-encoding', 'chunked']);
    return new AnswerBody(response, false);
  });
  for (const piece of ['a', 'bc', 'def']) {
    for (const [at, body] of bodies.entries()) body.write(Buffer.from(`${at}${piece}`));
  }
  await turn();
  for (const body of bodies) body.end();
  const texts = await Promise.all(stages.map(async ({ answer }) => (await answer).body.toString()));
  t.strictSame(texts, ['0a0bc0def', '1a1bc1def']);
});

test('a head leaves with the gathered data, or alone if there is none', async (t) => {
  const { response, answer, writes } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, false);
  body.write(Buffer.from('hello'));
  body.sendHead();
  t.equal(writes(), 0);
  body.flush();
  body.flush();
  t.equal(writes(), 1);
  body.end();
  t.equal((await answer).body.toString(), 'hello');
  const other = await stage(t);
  other.response.writeHead(200, ['transfer-encoding', 'chunked']);
  const silent = new AnswerBody(other.response, false);
  silent.sendHead();
  t.equal(other.writes(), 1);
  silent.end();
  await other.answer;
});

test('a complete body without an announced length is one chunk and the end', async (t) => {
  const { response, answer, writes } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  new AnswerBody(response, false).endWith(Buffer.from('hello'));
  const { body, isComplete } = await answer;
  t.strictSame([body.toString(), isComplete, writes()], ['hello', true, 1]);
});

test('an empty answer has a head and an end, in one write', async (t) => {
  const { response, answer, writes } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  new AnswerBody(response, false).end();
  t.match(await answer, { status: 200, isComplete: true });
  t.equal(writes(), 1);
});

for (const [name, bytes] of Object.entries({ small: Buffer.from('{"voices":[]}'), large: LARGE })) {
  test(`a ${name} body with its length leaves in one write with its head`, async (t) => {
    const { response, answer, writes } = await stage(t);
    response.writeHead(200, ['content-length', String(bytes.length)]);
    new AnswerBody(response, false).endWith(bytes);
    t.strictSame((await answer).body, bytes);
    t.equal(writes(), 1);
  });
}

test('data that is already in chunks leaves at once, the first with the head and the last with the end', async (t) => {
  const { response, answer, writes } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, true);
  body.write(Buffer.from('5\r\nhello\r\n'));
  t.equal(writes(), 1, 'in the same turn');
  body.endWith(Buffer.from('1\r\n!\r\n0\r\n\r\n'));
  t.equal(writes(), 2, 'at once as well');
  t.equal((await answer).body.toString(), 'hello!');
  t.equal(writes(), 2, 'the end takes no write of its own');
});

test('data the kernel has not taken is pending', async (t) => {
  const { response, answer } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, true);
  body.write(Buffer.from('5\r\nhello\r\n'));
  t.equal(body.isPending, false, 'the kernel has it');
  const length = 64 * 1024 * 1024;
  body.write(Buffer.from(`${length.toString(16)}\r\n`));
  const drained = new Promise<void>((resolve) => body.onDrain(resolve));
  t.equal(body.write(Buffer.alloc(length, 'x')), false);
  t.equal(body.isPending, true, 'more than it takes at once');
  await drained;
  t.equal(body.isPending, false);
  body.endWith(Buffer.from('\r\n0\r\n\r\n'));
  t.equal((await answer).body.length, length + 5);
});

test('over TLS a buffer may be overwritten as soon as it was written', async (t) => {
  const { key, cert } = await createCertificate({ host: '127.0.0.1' });
  const server = createServer({ key, cert });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const arrived = once(server, 'request');
  const { port } = server.address() as AddressInfo;
  const asked = get({ host: '127.0.0.1', port, ca: cert, agent: false });
  const [, response] = (await arrived) as [unknown, ServerResponse];
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, true);
  const place = Buffer.alloc(20_000);
  for (const letter of 'abcdefgh') {
    body.write(place.fill(letter).fill('4e18\r\n', 0, 6).fill('\r\n', 19_998));
    t.equal(body.isPending, false);
  }
  place.fill('-');
  body.endWith(Buffer.from('0\r\n\r\n'));
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer.setEncoding('latin1')) text += chunk;
  t.equal(text, [...'abcdefgh'].map((letter) => letter.repeat(0x4e18)).join(''));
});
