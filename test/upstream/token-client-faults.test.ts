// What upstream can do wrong, over real sockets. Every fault ends in a Problem, reveals nothing that upstream sent, and leaves no
// connection behind that could carry the next mint.
import { createServer } from 'node:net';
import { type Test, test } from 'tap';
import { API_KEY, clientUnderTest, everythingIn, problemOf, WISH } from './client-under-test.ts';
import { jsonAnswer, type RawRequest, startRawUpstream, tokenAnswer } from './raw-upstream.ts';

/** Part of every answer that upstream breaks; must not appear in any error. */
const CANARY = 'CANARY4711';
const CHUNKED = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n';
const BODY = `{"token":"${CANARY}"}`;

async function upstreamThat(t: Test, onRequest: (request: RawRequest) => void) {
  const upstream = await startRawUpstream(onRequest);
  t.teardown(() => upstream.close());
  return upstream;
}

interface Fault {
  readonly name: string;
  readonly answer: (request: RawRequest) => void;
  /** 502 unless set. */
  readonly code?: 'upstream_timeout';
  readonly kind: string;
}

function says(name: string, bytes: string, kind = 'malformed'): Fault {
  return { name, answer: ({ socket }) => socket.write(bytes, 'latin1'), kind };
}

function saysAndEnds(name: string, bytes: string, kind = 'cut'): Fault {
  return { name, answer: ({ socket }) => socket.end(bytes, 'latin1'), kind };
}

function saysAndResets(name: string, bytes: string, kind = 'cut'): Fault {
  return {
    name,
    answer: ({ socket }) => {
      if (bytes === '') socket.resetAndDestroy();
      else socket.write(bytes, 'latin1', () => setImmediate(() => socket.resetAndDestroy()));
    },
    kind,
  };
}

const FAULTS: readonly Fault[] = [
  { name: 'silence', answer: () => {}, code: 'upstream_timeout', kind: 'deadline' },
  {
    name: 'a head in drips',
    answer: ({ socket }) => drip(socket, `HTTP/1.1 200 OK\r\nx-${'a'.repeat(4_000)}: ${CANARY}`),
    code: 'upstream_timeout',
    kind: 'deadline',
  },
  {
    name: 'a body in drips',
    answer: ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n');
      drip(socket, `{"token":"${CANARY.repeat(800)}"}`);
    },
    code: 'upstream_timeout',
    kind: 'deadline',
  },
  {
    name: 'informational answers without end',
    answer: ({ socket }) => drip(socket, `HTTP/1.1 103 Early Hints\r\nlink: ${CANARY}\r\n\r\n`.repeat(200), 50),
    code: 'upstream_timeout',
    kind: 'deadline',
  },
  {
    name: 'a chunk extension without end',
    answer: ({ socket }) => {
      socket.write(`${CHUNKED}\r\n5;`);
      drip(socket, CANARY.repeat(1_000), 50);
    },
    code: 'upstream_timeout',
    kind: 'deadline',
  },
  saysAndEnds('FIN before the head', ''),
  saysAndEnds('FIN inside the head', `HTTP/1.1 200 OK\r\nx: ${CANARY}\r\n`),
  saysAndEnds('FIN inside the body', `HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n${BODY}`),
  saysAndEnds(
    'FIN inside the last body of a connection',
    `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 100\r\n\r\n${BODY}`,
    'malformed',
  ),
  saysAndEnds('FIN with the last chunk missing', `${CHUNKED}\r\n16\r\n${BODY.padEnd(22)}\r\n`),
  saysAndEnds(
    'FIN with the last chunk missing and connection: close',
    `${CHUNKED}connection: close\r\n\r\n16\r\n${BODY.padEnd(22)}\r\n`,
    'malformed',
  ),
  saysAndEnds('a body without a length that ends early', `HTTP/1.1 200 OK\r\n\r\n{"token":"${CANARY}`, 'answer'),
  saysAndResets('RST before the head', ''),
  saysAndResets('RST inside the head', `HTTP/1.1 200 OK\r\nx: ${CANARY}\r\n`),
  saysAndResets('RST inside the body', `HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n${BODY}`),
  saysAndResets('RST inside a chunked body', `${CHUNKED}\r\n16\r\n${BODY.padEnd(22)}\r\n`),
  says('garbage', `${CANARY} garbage\r\n\r\n`),
  says('binary garbage', `\u0000\u0001\u0002${CANARY}\u00ff`),
  says('a TLS alert', `\u0015\u0003\u0001\u0000\u0002\u0002\u0028${CANARY}`),
  says('HTTP/0.9', `<html>${CANARY}</html>`),
  says('HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM ${CANARY}\r\n\r\n`),
  says('a bad status line', `HTTP/1.1 abc ${CANARY}\r\ncontent-length: 0\r\n\r\n`),
  says('an upgrade to nothing', `HTTP/1.1 101 ${CANARY}\r\n\r\n`),
  says('a status below 100', `HTTP/1.1 099 ${CANARY}\r\ncontent-length: 0\r\n\r\n`),
  says('a status of two digits', `HTTP/1.1 20 ${CANARY}\r\ncontent-length: 0\r\n\r\n`),
  says('a status line with a version nobody has', `HTTP/7.3 200 ${CANARY}\r\ncontent-length: 0\r\n\r\n`),
  says('a head of 20 KB in one line', `HTTP/1.1 200 OK\r\nx: ${CANARY.repeat(2_048)}\r\n\r\n`, 'oversized'),
  says(
    'a head of 20 KB in many lines',
    `HTTP/1.1 200 OK\r\n${`x-${CANARY}: ${'a'.repeat(80)}\r\n`.repeat(220)}content-length: 2\r\n\r\n{}`,
    'oversized',
  ),
  says('trailers of 20 KB', `${CHUNKED}\r\n0\r\nx: ${CANARY.repeat(2_048)}\r\n\r\n`, 'oversized'),
  says('a body of 17 KB', jsonAnswer('200 OK', `{"token":"${CANARY}","x":"${'a'.repeat(17_000)}"}`), 'oversized'),
  says('a chunked body without end', `${CHUNKED}\r\n${`400\r\n${CANARY.padEnd(1_024)}\r\n`.repeat(40)}`, 'oversized'),
  says('Content-Length twice', `HTTP/1.1 200 OK\r\ncontent-length: 22\r\ncontent-length: 22\r\n\r\n${BODY.padEnd(22)}`),
  says('two Content-Lengths', `HTTP/1.1 200 OK\r\ncontent-length: 22\r\ncontent-length: 3\r\n\r\n${BODY.padEnd(22)}`),
  says('Content-Length as a list', `HTTP/1.1 200 OK\r\ncontent-length: 22, 22\r\n\r\n${BODY.padEnd(22)}`),
  says('a negative Content-Length', `HTTP/1.1 200 OK\r\ncontent-length: -22\r\n\r\n${BODY.padEnd(22)}`),
  says('a hexadecimal Content-Length', `HTTP/1.1 200 OK\r\ncontent-length: 0x16\r\n\r\n${BODY.padEnd(22)}`),
  says(
    'Content-Length with Transfer-Encoding',
    `${CHUNKED}content-length: 22\r\n\r\n16\r\n${BODY.padEnd(22)}\r\n0\r\n\r\n`,
  ),
  says(
    'Transfer-Encoding with Content-Length',
    `HTTP/1.1 200 OK\r\ncontent-length: 22\r\ntransfer-encoding: chunked\r\n\r\n16\r\n${BODY.padEnd(22)}\r\n0\r\n\r\n`,
  ),
  says('a bad chunk size', `${CHUNKED}\r\n0x16\r\n${BODY.padEnd(22)}\r\n0\r\n\r\n`),
  says('a chunk longer than it said', `${CHUNKED}\r\n5\r\n${BODY.padEnd(22)}\r\n0\r\n\r\n`),
  says('line ends of LF', `HTTP/1.1 200 OK\ncontent-length: 22\nx: ${CANARY}\n\n${BODY.padEnd(22)}`),
  says('one line end of LF', `HTTP/1.1 200 OK\r\nx: ${CANARY}\ncontent-length: 22\r\n\r\n${BODY.padEnd(22)}`),
  says('line ends of CR', `HTTP/1.1 200 OK\rcontent-length: 22\rx: ${CANARY}\r\r${BODY.padEnd(22)}`),
  says('a folded header', `HTTP/1.1 200 OK\r\nx: a\r\n ${CANARY}\r\ncontent-length: 22\r\n\r\n${BODY.padEnd(22)}`),
  says('a space before the colon', `HTTP/1.1 200 OK\r\ncontent-length : 22\r\n\r\n${BODY.padEnd(22)}`),
  says('a header without a colon', `HTTP/1.1 200 OK\r\n${CANARY}\r\ncontent-length: 22\r\n\r\n${BODY.padEnd(22)}`),
  says('a NUL in a header', `HTTP/1.1 200 OK\r\nx: \u0000${CANARY}\r\ncontent-length: 22\r\n\r\n${BODY.padEnd(22)}`),
  says('a 100 that nobody asked for', `HTTP/1.1 100 Continue\r\n\r\n${tokenAnswer(CANARY)}`, 'cut'),
  says(
    'a switch of protocols',
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n${CANARY}`,
    'cut',
  ),
];

/** Sends the text piece by piece, over and over, until the connection closes. */
function drip(socket: RawRequest['socket'], text: string, size = 1): void {
  let at = 0;
  const timer = setInterval(() => {
    socket.write(text.slice(at, at + size), 'latin1');
    at = (at + size) % text.length;
  }, 5);
  socket.on('close', () => clearInterval(timer));
}

for (const fault of FAULTS) {
  test(`fault: ${fault.name}`, async (t) => {
    const upstream = await upstreamThat(t, (request) => {
      if (request.number === 1) fault.answer(request);
      else request.socket.write(tokenAnswer('the.next.token'));
    });
    const deadlineMs = fault.code === 'upstream_timeout' ? 250 : 5_000;
    const { client, events } = clientUnderTest(t, { baseUrl: upstream.url, connections: 1, deadlineMs });
    const startedAt = performance.now();
    const problem = await problemOf(t, client.mint(WISH));
    const tookMs = performance.now() - startedAt;

    t.equal(problem.code, fault.code ?? 'upstream_unavailable');
    t.equal(problem.status, fault.code === undefined ? 502 : 504);
    t.match(problem.details.cause, { kind: fault.kind }, 'for the reason given');
    const isInTime = fault.code === undefined ? tookMs < 1_000 : tookMs >= 245 && tookMs < 1_250;
    t.ok(isInTime, `after ${tookMs} ms`);
    t.notMatch(everythingIn(problem), new RegExp(`${CANARY}|sk_car`));
    t.notOk(
      events.some(({ type }) => type === 'retry'),
      'not sent again: upstream may have acted on it',
    );
    t.equal(upstream.requests.length, 1);

    t.equal((await client.mint(WISH)).token, 'the.next.token', 'the slot is free again');
    if (fault.kind !== 'answer') t.equal(upstream.connections, 2, 'over a new connection');
  });
}

test('a refused connection: 502 at once, after one retry', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  await new Promise((resolve) => server.close(resolve));
  const { client, events } = clientUnderTest(t, { baseUrl: `http://127.0.0.1:${port}` });
  await client.load(); // so that the refusal is timed, not the loading of the HTTP client
  const startedAt = performance.now();
  const problem = await problemOf(t, client.mint(WISH));
  const tookMs = performance.now() - startedAt;
  t.equal(problem.code, 'upstream_unavailable');
  t.ok(tookMs < 100, `after ${tookMs} ms`);
  t.match(events, [
    { type: 'retry', kind: 'unreachable', code: 'ECONNREFUSED' },
    { type: 'attempt', outcome: 'upstream_unavailable', status: null },
  ]);
});

test('a name that does not resolve: 502', async (t) => {
  const { client } = clientUnderTest(t, { baseUrl: 'http://upstream.invalid', deadlineMs: 10_000 });
  const problem = await problemOf(t, client.mint(WISH));
  t.equal(problem.code, 'upstream_unavailable');
  t.match(problem.details.cause, { kind: 'unreachable' });
});

for (const [status, code, body] of [
  [
    '500 Internal Server Error',
    'upstream_unavailable',
    `{"error_code":null,"title":"Unexpected error","message":"${CANARY}"}`,
  ],
  ['502 Bad Gateway', 'upstream_unavailable', `<html><h1>${CANARY}</h1></html>`],
  ['503 Service Unavailable', 'upstream_unavailable', ''],
  ['504 Gateway Timeout', 'upstream_unavailable', `Gateway timeout: ${CANARY}`],
  ['503 Service Unavailable', 'upstream_unavailable', `<html>${CANARY.repeat(3_000)}</html>`],
  ['429 Too Many Requests', 'rate_limited', `<html>${CANARY.repeat(3_000)}</html>`],
  ['400 Bad Request', 'upstream_rejected', `Invalid request: ${CANARY}`],
  ['401 Unauthorized', 'upstream_rejected', `Unauthorized: ${CANARY}`],
  ['403 Forbidden', 'upstream_rejected', `{"title":"Forbidden","message":"${CANARY}"}`],
  [
    '402 Payment Required',
    'quota_exceeded',
    `{"error_code":"quota_exceeded","title":"Quota exceeded","message":"${CANARY}"}`,
  ],
] as const) {
  test(`status ${status} with ${body.length} bytes (${body.slice(0, 10)}) is ${code}, with upstream’s request id`, async (t) => {
    const upstream = await upstreamThat(t, ({ socket }) =>
      socket.write(jsonAnswer(status, body, 'cartesia-request-id: 5f0c1d7e-3b8a\r\n')),
    );
    const { client, events } = clientUnderTest(t, { baseUrl: upstream.url });
    const problem = await problemOf(t, client.mint(WISH));
    t.equal(problem.code, code);
    t.equal(problem.details.upstreamRequestId, '5f0c1d7e-3b8a');
    t.notMatch(problem.message, new RegExp(CANARY));
    t.match(events[0], { type: 'attempt', outcome: code, status: Number(status.slice(0, 3)) });
    t.equal(upstream.requests.length, 1);
    t.equal(
      events.some(({ type }) => type === 'key_rejected'),
      status.startsWith('401') || status.startsWith('403'),
    );
  });
}

for (const status of ['301 Moved', '302 Found', '303 See Other', '307 Temporary Redirect', '308 Permanent Redirect']) {
  test(`${status} to another host: 502, and the other host sees nothing`, async (t) => {
    const other = await upstreamThat(t, ({ socket }) => socket.write(tokenAnswer()));
    const upstream = await upstreamThat(t, ({ socket }) =>
      socket.write(jsonAnswer(status, '', `location: ${other.url}/access-token\r\n`)),
    );
    const { client } = clientUnderTest(t, { baseUrl: upstream.url });
    t.equal((await problemOf(t, client.mint(WISH))).code, 'upstream_unavailable');
    t.equal(other.connections, 0);
    t.equal(upstream.requests.length, 1);
  });
}

test('a second answer on the same connection reaches nobody', async (t) => {
  const upstream = await upstreamThat(t, ({ socket, number }) => {
    const forged = number === 1 ? tokenAnswer('forged.for.the.next') : '';
    socket.write(tokenAnswer(`token.${number}`) + forged);
  });
  const { client } = clientUnderTest(t, { baseUrl: upstream.url, connections: 1 });
  t.equal((await client.mint(WISH)).token, 'token.1');
  t.equal((await client.mint(WISH)).token, 'token.2');
  t.equal(upstream.connections, 2, 'the connection with surplus bytes is not reused');
});

test('informational answers before the final one are skipped', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) =>
    socket.write(
      `HTTP/1.1 103 Early Hints\r\nx-request-id: early\r\n\r\n${tokenAnswer('real.token', 'x-request-id: real\r\n')}`,
    ),
  );
  const { client } = clientUnderTest(t, { baseUrl: upstream.url });
  t.match(await client.mint(WISH), { token: 'real.token', requestId: 'real' });
});

test('an answer that arrives byte by byte within the deadline is accepted', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => {
    socket.setNoDelay(true);
    for (const byte of tokenAnswer('slow.but.whole')) socket.write(byte);
  });
  const { client } = clientUnderTest(t, { baseUrl: upstream.url });
  t.equal((await client.mint(WISH)).token, 'slow.but.whole');
});

test('an upstream that echoes our request reveals the key to nobody', async (t) => {
  const upstream = await upstreamThat(t, ({ socket, head, number }) => {
    const authorization = /authorization: (.*)/.exec(head)?.[1] ?? '';
    const key = authorization.replace('Bearer ', '');
    const answers = [
      jsonAnswer(`500 ${authorization}`, head, `x-request-id: ${key}\r\nx-echo: ${authorization}\r\n`),
      jsonAnswer('400 Bad Request', JSON.stringify({ title: authorization, message: head, request_id: key })),
      jsonAnswer('200 OK', JSON.stringify({ token: key })),
      `HTTP/1.1 ${authorization}\r\n\r\n`,
    ];
    socket.write(answers[number - 1] ?? tokenAnswer('ok.token', `cartesia-request-id: ${key}\r\n`));
  });
  const { client, events } = clientUnderTest(t, { baseUrl: upstream.url });
  for (let i = 0; i < 4; i++) {
    const problem = await problemOf(t, client.mint(WISH));
    t.notOk(everythingIn(problem).includes(API_KEY.slice(0, 12)));
    t.equal(problem.details.upstreamRequestId, undefined);
  }
  t.match(await client.mint(WISH), { token: 'ok.token', requestId: null });
  t.notOk(JSON.stringify(events).includes(API_KEY.slice(0, 12)));
  t.ok(upstream.received.includes(API_KEY), 'the check sees the key where it must be');
});
