// Whether a connection outlives a refusal: only where nothing is left to come, or little.
import Fastify from 'fastify';
import { test } from 'tap';
import { createServer, noClientErrorHandler } from '../../src/listener/server.ts';
import { leaveLongBodies } from '../../src/listener/unread-body.ts';
import { openRaw } from '../e2e/raw-connection.ts';

const SMALL = 65_536;

test('a refusal ends the connection where much of a body, or nobody knows how much, is still to come', async (t) => {
  const app = Fastify({
    serverFactory: (handler) => createServer(handler, { tls: null }),
    clientErrorHandler: noClientErrorHandler,
    bodyLimit: 1_000_000,
  });
  t.teardown(() => app.close());
  leaveLongBodies(app);
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, _body, done) => done(null));
  const refuse = async (): Promise<never> => {
    throw new Error('refused');
  };
  app.post('/unread', { onRequest: refuse }, refuse);
  app.post('/read', refuse);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const length = (bytes: number): string => `Content-Length: ${bytes}`;
  for (const [what, target, framing, body, isKept] of [
    ['no body', '/unread', 'X: y', '', true],
    ['an empty one', '/unread', length(0), '', true],
    ['a small one, to come', '/unread', length(SMALL), 'a', true],
    ['a long one, to come', '/unread', length(SMALL + 1), 'a', false],
    ['one of unknown length, to come', '/unread', 'Transfer-Encoding: chunked', '1\r\na\r\n', false],
    ['a long one that has come', '/read', length(SMALL + 1), 'a'.repeat(SMALL + 1), true],
    ['one in chunks that has come', '/read', 'Transfer-Encoding: chunked', '1\r\na\r\n0\r\n\r\n', true],
  ] as const) {
    const connection = await openRaw(t, url);
    connection.send(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\n${framing}\r\n\r\n${body}`);
    const { status, headers } = await connection.response();
    t.strictSame([status, headers['connection']], [500, isKept ? 'keep-alive' : 'close'], what);
    if (isKept) {
      if (what.includes('to come')) connection.send('a'.repeat(SMALL - 1));
      connection.send('POST /unread HTTP/1.1\r\nHost: a\r\n\r\n');
      t.equal((await connection.response()).status, 500, `${what}: the next request is served`);
    } else t.ok((await connection.ended()) < 1_000, what);
    connection.socket.destroy();
  }
});
