import { test } from 'tap';
import { type AnswerHead, readAnswerHead as read } from '../../src/proxy/response-headers.ts';

function readAnswerHead(headers: readonly string[], isRewritten: boolean): AnswerHead {
  return read(headers, { isRewritten, isRevealing: (text) => text.includes('sk_car_1') });
}

test('only headers that describe the answer reach the client', async (t) => {
  const head = readAnswerHead(
    [
      'Content-Type',
      'audio/wav',
      'Content-Length',
      '12',
      'Content-Disposition',
      'attachment',
      'Cartesia-File-ID',
      'file_1',
      'Cartesia-Request-Id',
      'req-1',
      'Set-Cookie',
      'session=1',
      'Location',
      'https://elsewhere.example',
      'Connection',
      'keep-alive, content-type',
      'Keep-Alive',
      'timeout=5',
      'Transfer-Encoding',
      'chunked',
      'Trailer',
      'x',
      'Upgrade',
      'h2c',
      'Proxy-Authenticate',
      'Basic',
      'WWW-Authenticate',
      'Bearer',
      'Access-Control-Allow-Origin',
      '*',
      'Strict-Transport-Security',
      'max-age=1',
      'Server',
      'nginx',
      'Alt-Svc',
      'h3=":443"',
      'Refresh',
      '0; url=https://elsewhere.example',
      'X-Echo-Authorization',
      'Bearer key',
    ],
    false,
  );
  t.strictSame(head, {
    forwarded: [
      'content-disposition',
      'attachment',
      'content-type',
      'audio/wav',
      'content-length',
      '12',
      'cartesia-file-id',
      'file_1',
      'cartesia-request-id',
      'req-1',
    ],
    contentType: 'audio/wav',
    requestId: 'req-1',
    retryAfter: null,
    isCoded: false,
  });
});

test('a body that may be rewritten loses its Content-Length', async (t) => {
  const head = readAnswerHead(['content-type', 'text/event-stream', 'content-length', '12'], true);
  t.strictSame(head.forwarded, ['content-type', 'text/event-stream']);
});

test("upstream's id comes from either field, and cartesia-request-id takes precedence", async (t) => {
  t.match(readAnswerHead(['x-request-id', 'a'], false), {
    requestId: 'a',
    forwarded: ['cartesia-request-id', 'a'],
  });
  t.match(readAnswerHead(['X-Request-Id', 'a', 'Cartesia-Request-ID', 'b'], false), { requestId: 'b' });
  t.match(readAnswerHead(['Cartesia-Request-ID', 'b', 'X-Request-Id', 'a'], false), { requestId: 'b' });
});

test('a value that does not look like an id is ignored', async (t) => {
  for (const id of ['', 'a b', 'a\tb', 'Bearer sk_car_x', 'é', 'a'.repeat(129), '<script>']) {
    t.strictSame(readAnswerHead(['cartesia-request-id', id], false), {
      forwarded: [],
      contentType: '',
      requestId: null,
      retryAfter: null,
      isCoded: false,
    });
  }
});

test('Retry-After is read, and not passed on as it is', async (t) => {
  const head = readAnswerHead(['Retry-After', '99999'], false);
  t.equal(head.retryAfter, '99999');
  t.strictSame(head.forwarded, []);
});

test('a coding is recognized in either field; identity and chunked count as none, in any letter case', async (t) => {
  const isCoded = (...headers: string[]): boolean => readAnswerHead(headers, false).isCoded;
  t.ok(isCoded('Content-Encoding', 'gzip', 'Transfer-Encoding', 'chunked'));
  t.ok(isCoded('Transfer-Encoding', 'gzip, chunked', 'Content-Encoding', 'identity'));
  t.notOk(isCoded('Content-Encoding', 'Identity', 'Transfer-Encoding', 'Chunked'));
});

test('an empty head yields nothing', async (t) => {
  t.strictSame(readAnswerHead([], false), {
    forwarded: [],
    contentType: '',
    requestId: null,
    retryAfter: null,
    isCoded: false,
  });
  t.strictSame(readAnswerHead(['odd'], false).forwarded, []);
});

test('a field that repeats our key is dropped', async (t) => {
  for (const name of [
    'content-type',
    'content-disposition',
    'cartesia-file-id',
    'cartesia-request-id',
    'x-request-id',
  ]) {
    t.strictSame(
      readAnswerHead([name, 'sk_car_1'], false),
      { forwarded: [], contentType: '', requestId: null, retryAfter: null, isCoded: false },
      name,
    );
  }
  t.equal(readAnswerHead(['retry-after', 'sk_car_1'], false).retryAfter, null);
});

test('names of built-in object properties are treated like any other', async (t) => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty'])
    t.strictSame(readAnswerHead([name, 'x'], false).forwarded, [], name);
});
