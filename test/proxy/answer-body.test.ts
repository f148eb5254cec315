// What of an answer leaves together.
import type { Writable } from 'node:stream';
import { type Test, test } from 'tap';
import { AnswerBody } from '../../src/proxy/answer-body.ts';
import { realResponse } from './real-response.ts';

/** `writes`: how often the connection was written to. */
async function stage(t: Test) {
  const { response, answer } = await realResponse(t);
  if (response.socket === null) throw new Error('no connection');
  return { response, answer, writes: countWrites(response.socket) };
}

/** Each is one system call, and on a connection without Nagle's algorithm one packet at least. */
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

test('head, chunks and end that come in one turn leave in one write', async (t) => {
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

test('what comes in another turn does not wait, and is one write again', async (t) => {
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

test('chunks of every size arrive as they were, and one of none does not end the answer', async (t) => {
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

test('an answer of no bytes has a head and an end, in one write', async (t) => {
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

test('what is in chunks already leaves at once, the first with the head and the last with the end', async (t) => {
  const { response, answer, writes } = await stage(t);
  response.writeHead(200, ['transfer-encoding', 'chunked']);
  const body = new AnswerBody(response, true);
  body.write(Buffer.from('5\r\nhello\r\n'));
  t.equal(writes(), 1, 'in the same turn');
  body.endWith(Buffer.from('1\r\n!\r\n0\r\n\r\n'));
  t.equal((await answer).body.toString(), 'hello!');
  t.equal(writes(), 2);
});
