// Cartesia's response to an upgrade, however it is cut into reads.
import { test } from 'tap';
import { ReadBuffer } from '../../../../src/proxy/websocket/frames/read-buffer.ts';
import { UpgradeAnswer, type UpgradeVerdict } from '../../../../src/proxy/websocket/opening/upgrade-answer.ts';

const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const SWITCHING = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\nx-request-id: r1\r\n\r\n`;

/** An answer that has read these pieces, and what it made of the last one. */
function answerTo(...pieces: readonly string[]): {
  readonly answer: UpgradeAnswer;
  readonly verdict: UpgradeVerdict | null;
} {
  const received = new ReadBuffer();
  const answer = new UpgradeAnswer(received, ACCEPT);
  let verdict: UpgradeVerdict | null = null;
  for (const piece of pieces)
    for (let at = 0; at < piece.length && verdict === null; ) {
      const length = received.room.write(piece.slice(at), 'latin1');
      received.filled(length);
      at += length;
      verdict = answer.read(false);
    }
  return { answer, verdict };
}

test('an acceptance and a refusal are read in one piece and byte by byte, after any number of interim responses', async (t) => {
  const refusal = 'HTTP/1.1 429 Too Many\r\nContent-Length: 5\r\nRetry-After: 7\r\nX-Request-Id: r2\r\n\r\nwords';
  const answer = { status: 429, body: 'words', requestId: 'r2', retryAfter: '7' };
  for (const before of ['', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n'])
    for (const cut of [(text: string) => [text], (text: string) => [...text]]) {
      t.strictSame(answerTo(...cut(before + SWITCHING)).verdict, { kind: 'accepted', requestId: 'r1' });
      t.strictSame(answerTo(...cut(before + refusal)).verdict, { kind: 'refused', answer });
    }
});

test('a response that cannot become a valid one fails at its first wrong byte', async (t) => {
  for (const pieces of [
    ['HTTP/2'],
    ['HTTP/1.1 101 Switching\n'],
    ['HTTP/1.1 101 Switching\r', 'U'],
    ['HTTP/1.1 103 Early Hints\r\n', '\r\nHTTP/1.1 101 X\n'],
  ])
    t.match(answerTo(...pieces).verdict, { kind: 'failed', failure: { kind: 'malformed' } }, JSON.stringify(pieces));
});

test('a refusal is known from its head, and no more than 16 KB of its body are waited for', async (t) => {
  const head = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000\r\n\r\n';
  t.notOk(answerTo(head.slice(0, -1)).answer.isRefusal);
  t.notOk(answerTo(SWITCHING).answer.isRefusal);
  const { answer, verdict } = answerTo(head, 'w'.repeat(16_383));
  t.ok(answer.isRefusal);
  t.equal(verdict, null);
  t.match(answerTo(head, 'w'.repeat(16_384)).verdict, { kind: 'refused', answer: { status: 403, body: /^w{16384}$/ } });
});
