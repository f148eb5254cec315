// Framing and targets that two parsers could read differently, on the carried routes, over raw sockets.
import { type Test, test } from 'tap';
import type { ProblemCode } from '../../src/errors/problems.ts';
import { ENDPOINTS } from '../../src/upstream/endpoints.ts';
import { startRawUpstream } from '../upstream/raw-upstream.ts';
import { type CarryingBroker, lineOf, SPEECH, startCarrying, until, untilQuiet, VOICE } from './carried-broker.ts';
import { type MintBytes, mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';
import { isRefusedAndClosed } from './refused-connection.ts';

const BODY = JSON.stringify({ ...SPEECH, transcript: 'Hi.' });
const SIZE = BODY.length.toString(16);
const CHUNKS = `${SIZE}\r\n${BODY}\r\n0\r\n\r\n`;
const TARGET = '/tts/bytes';

const speech = (parts: MintBytes): string => mintBytes({ target: TARGET, body: BODY, ...parts });
/** A form as it is sent. */
const FORM = ['--b', 'Content-Disposition: form-data; name="model"', '', 'ink-whisper', '--b--', ''].join('\r\n');

/** Expects one refusal and the end of the connection; neither this request nor the next one may run at Cartesia. */
async function isRefused(
  t: Test,
  { broker, simulator, token, logs }: CarryingBroker,
  bytes: string,
  code: ProblemCode = 'invalid_request',
): Promise<void> {
  simulator.journal.clear();
  logs.length = 0;
  await isRefusedAndClosed(t, broker.url, bytes + speech({ credential: token }), code);
  t.strictSame(simulator.journal.entries(), [], 'Cartesia was not asked');
  t.equal(simulator.counters().creditsSpent, 0);
}

test('a message whose length is unclear is refused on a carried route, and the connection ends', async (t) => {
  const running = await startCarrying(t);
  const credential = running.token;
  const smuggled = '0\r\n\r\nGET /voices HTTP/1.1\r\nHost: broker.test\r\n\r\n';
  const chunked = (body: string): string => speech({ credential, framing: ['Transfer-Encoding: chunked'], body });
  const lengths = (...values: string[]): string =>
    speech({ credential, framing: values.map((value) => `Content-Length:${value}`) });
  const n = BODY.length;
  const cases: Readonly<Record<string, string>> = {
    'Content-Length before Transfer-Encoding': speech({
      credential,
      framing: ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      body: smuggled,
    }),
    'Transfer-Encoding before Content-Length': speech({
      credential,
      framing: ['Transfer-Encoding: chunked', 'Content-Length: 5'],
      body: smuggled,
    }),
    'Content-Length twice, equal': lengths(` ${n}`, ` ${n}`),
    'Content-Length twice, different': lengths(` ${n}`, ' 0'),
    'Content-Length as a list': lengths(` ${n}, ${n}`),
    'Content-Length with a plus': lengths(` +${n}`),
    'Content-Length with a minus': lengths(` -${n}`),
    'Content-Length in hexadecimal': lengths(` 0x${SIZE}`),
    'Content-Length with an underscore': lengths(` 0_${n}`),
    'Content-Length with a letter after it': lengths(` ${n}x`),
    'Content-Length empty': lengths(' '),
    'Content-Length of 24 digits': lengths(` ${String(n).padStart(24, '0')}`),
    'Transfer-Encoding gzip, chunked': speech({
      credential,
      framing: ['Transfer-Encoding: gzip, chunked'],
      body: CHUNKS,
    }),
    'Transfer-Encoding identity': speech({ credential, framing: ['Transfer-Encoding: identity'] }),
    'Transfer-Encoding twice': speech({
      credential,
      framing: ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
      body: CHUNKS,
    }),
    'chunked over HTTP/1.0': speech({
      credential,
      version: 'HTTP/1.0',
      framing: ['Transfer-Encoding: chunked'],
      body: CHUNKS,
    }),
    'a chunk size in C notation': chunked(`0x${CHUNKS}`),
    'a chunk size with a plus': chunked(`+${CHUNKS}`),
    'a chunk size with an underscore': chunked(`0_${CHUNKS}`),
    'a chunk size that overflows 64 bits': chunked(`${SIZE.padStart(17, '1')}\r\n${BODY}\r\n0\r\n\r\n`),
    'a chunk longer than it says': chunked(`1\r\n${BODY}\r\n0\r\n\r\n`),
    'a chunk shorter than it says': chunked(`${(n + 1).toString(16)}\r\n${BODY}\r\n0\r\n\r\n`),
    'a chunk size that ends in a bare LF': chunked(`${SIZE}\n${BODY}\r\n0\r\n\r\n`),
    'a last chunk that ends in a bare LF': chunked(`${SIZE}\r\n${BODY}\r\n0\n\n`),
    'a chunk extension of 17 KB': chunked(`${SIZE};${'a'.repeat(17 * 1024)}\r\n${BODY}\r\n0\r\n\r\n`),
    'a trailer that says another length': chunked(`${SIZE}\r\n${BODY}\r\n0\r\nContent-Length: 99\r\n\r\n`),
    'a folded field': speech({ credential, fields: ['X-A: b\r\n c'] }),
    'a folded Transfer-Encoding': speech({ credential, framing: ['Transfer-Encoding:\r\n chunked'], body: CHUNKS }),
    'bare LF at every line end': speech({ credential }).replaceAll('\r\n', '\n'),
    'a bare CR': speech({ credential, fields: ['X-A: b\rc'] }),
    NUL: speech({ credential, fields: ['X-A: b\0c'] }),
    'white space before the colon of Content-Length': speech({ credential, framing: [`Content-Length : ${n}`] }),
    'no colon': speech({ credential, fields: ['NoColon'] }),
    'two Hosts': speech({ credential, fields: ['Host: other.test'] }),
    'a target in absolute form': speech({ credential, target: `http://other.test${TARGET}` }),
    'HTTP/2.0 in an HTTP/1 request line': speech({ credential, version: 'HTTP/2.0' }),
  };
  for (const [name, bytes] of Object.entries(cases)) await t.test(name, async (t) => isRefused(t, running, bytes));
  for (const [name, bytes] of Object.entries({
    'a header block of 17 KB': speech({ credential, fields: [`X-A: ${'a'.repeat(17 * 1024)}`] }),
    '101 fields': speech({ credential, fields: Array.from({ length: 97 }, () => 'X: y') }),
    '2100 fields': speech({ credential, fields: Array.from({ length: 2096 }, () => 'X: y') }),
  })) {
    await t.test(name, async (t) => isRefused(t, running, bytes, 'headers_too_large'));
  }
  await untilQuiet(running, 0);
});

test('an upload whose framing breaks is refused, and what had begun at Cartesia is aborted', async (t) => {
  const running = await startCarrying(t);
  const { broker, simulator, token: credential } = running;
  const head = (framing: string): string =>
    mintBytes({
      target: '/stt',
      credential,
      contentType: 'multipart/form-data; boundary=b',
      framing: [framing],
      body: '',
    });
  const piece = 'x'.repeat(20_000);
  const part = `--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n${piece}`;
  const begun = `${head('Transfer-Encoding: chunked')}${part.length.toString(16)}\r\n${part}\r\n`;
  for (const [name, rest] of Object.entries({
    'an invalid chunk size': 'zz\r\nabc\r\n',
    'a chunk longer than it says': `1\r\n${piece}\r\n0\r\n\r\n`,
    'a chunk extension without end': `5;${'a'.repeat(20_000)}`,
    'a trailer with a length': '0\r\nContent-Length: 5\r\n\r\n',
  })) {
    await t.test(name, async (t) => {
      simulator.journal.clear();
      const connection = await openRaw(t, broker.url);
      connection.send(`${begun}${part.length.toString(16)}\r\n${part}\r\n`);
      const entry = await until(
        () => simulator.journal.entries({ path: '/stt' }).find(({ bytesIn }) => bytesIn > 0),
        'upload',
      );
      connection.send(rest + speech({ credential }));
      isProblem(t, await connection.response(), 'invalid_request');
      t.ok((await connection.ended()) < 1000);
      t.equal(connection.rest(), '');
      await until(() => entry.outcome === 'aborted', 'abort');
      t.equal(simulator.journal.entries().length, 1, 'nothing after it ran');
      await untilQuiet(running, 0);
      t.equal(simulator.counters().stt.active, 0);
    });
  }
  await t.test('a length that never comes', async (t) => {
    simulator.journal.clear();
    const connection = await openRaw(t, broker.url);
    connection.send(`${head('Content-Length: 900000')}${part}${piece.repeat(20)}`);
    const entry = await until(
      () => simulator.journal.entries({ path: '/stt' }).find(({ bytesIn }) => bytesIn > 0),
      'upload',
    );
    connection.socket.end();
    await until(() => entry.outcome === 'aborted', 'abort');
    await untilQuiet(running, 0);
  });
});

test('an upload refused on the way is answered at once, and the connection ends after the answer', async (t) => {
  const running = await startCarrying(t, { client: { content: { models: ['ink-whisper'] } } });
  const { broker, simulator, token: credential } = running;
  const upload = (model: string): string =>
    mintBytes({
      target: '/stt',
      credential,
      contentType: 'multipart/form-data; boundary=b',
      framing: ['Content-Length: 30000000'],
      body: `--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n`,
    });
  const piece = 'x'.repeat(300_000);

  await t.test('by policy', async (t) => {
    const connection = await openRaw(t, broker.url);
    connection.send(upload('ink-2') + piece);
    const response = await connection.response();
    isProblem(t, response, 'content_not_allowed');
    t.equal(response.headers['connection'], 'close');
    connection.send(piece); // the client has not seen the answer yet
    t.ok((await connection.ended()) < 1000);
    await untilQuiet(running, 0);
  });
  await t.test('by Cartesia', async (t) => {
    simulator.faults.add({ match: {}, action: { type: 'answer', status: 429, code: 'concurrency_limited' } });
    const connection = await openRaw(t, broker.url);
    connection.send(upload('ink-whisper') + piece);
    const response = await connection.response();
    t.equal(response.status, 429);
    t.match(response.json, { error_code: 'concurrency_limited', source: 'upstream' });
    t.equal(response.headers['connection'], 'close');
    connection.send(piece);
    t.ok((await connection.ended()) < 1000);
    await untilQuiet(running, 1); // the simulator reads no more of it, and so does not see it end
  });
  await t.test('for its length, which was not announced', async (t) => {
    const connection = await openRaw(t, broker.url);
    const long = 'x'.repeat(300_000);
    const body = `${long.length.toString(16)}\r\n${long}\r\n`;
    connection.send(
      mintBytes({ target: TARGET, credential, contentType: '', framing: ['Transfer-Encoding: chunked'], body }),
    );
    const response = await connection.response();
    isProblem(t, response, 'payload_too_large');
    t.equal(response.headers['connection'], 'close');
    t.ok((await connection.ended()) < 1000);
  });
  t.ok(
    simulator.journal.entries().every(({ bytesIn }) => bytesIn < 30_000_000),
    'Cartesia never received a whole form',
  );
});

test('an upload refused after its answer began ends in the middle of that answer', async (t) => {
  const begun = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n';
  const upstream = await startRawUpstream(() => {}, {
    onConnection: (socket) => socket.once('data', () => socket.write(begun)),
  });
  t.teardown(() => upstream.close());
  const running = await startCarrying(t, {
    transport: 'native', // the other one sends nothing before it has a piece of the body
    env: { CARTESIA_BASE_URL: upstream.url },
    client: { content: { models: ['ink-whisper'] } },
  });
  const { broker, token: credential } = running;
  const connection = await openRaw(t, broker.url);
  const contentType = 'multipart/form-data; boundary=b';
  const body = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nsound\r\n';
  const framing = ['Content-Length: 30000000'];
  connection.send(mintBytes({ target: '/stt', credential, contentType, framing, body }));
  await until(() => connection.rest().endsWith('{\r\n'), 'beginning of the answer');
  connection.send('--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nink-2\r\n--b\r\n');
  await connection.ended();
  t.match(connection.rest(), /^HTTP\/1\.1 200 [^{]*\{\r\n$/);
  t.match(await lineOf(running, '/stt'), { status: 200, outcome: 'content_not_allowed' });
  t.equal(broker.carried, 0);
});

test('a form shorter than announced takes the next request as part of its body, and nothing runs twice', async (t) => {
  const running = await startCarrying(t);
  const { broker, simulator, token: credential } = running;
  const connection = await openRaw(t, broker.url);
  const type = 'multipart/form-data; boundary=b';
  // The second request is inside the announced body of the first.
  const inner = speech({ credential });
  connection.send(
    mintBytes({
      target: '/stt',
      credential,
      contentType: type,
      framing: [`Content-Length: ${FORM.length + inner.length}`],
      body: FORM + inner,
    }),
  );
  const { status } = await connection.response();
  t.equal(status, 400, "Cartesia's own answer to a form without a file");
  t.strictSame(
    simulator.journal.entries().map(({ path, bytesIn }) => [path, bytesIn]),
    [['/stt', FORM.length + inner.length]],
  );
});

test('three requests in one segment, the second malformed: the first is answered, the third never runs', async (t) => {
  const running = await startCarrying(t);
  const { broker, simulator, token: credential } = running;
  const connection = await openRaw(t, broker.url);
  const read = mintBytes({ method: 'GET', target: '/accents', credential, contentType: '', framing: [], body: '' });
  connection.send(read + speech({ credential, framing: ['Content-Length: x'] }) + speech({ credential }));
  t.equal((await connection.response()).status, 200);
  isProblem(t, await connection.response(), 'invalid_request');
  await connection.ended();
  t.equal(connection.rest(), '');
  t.strictSame(
    simulator.journal.entries().map(({ path }) => path),
    ['/accents'],
  );
});

test('pipelined requests are answered in order, also behind audio', async (t) => {
  const running = await startCarrying(t);
  const { broker, token: credential } = running;
  const connection = await openRaw(t, broker.url);
  const read = mintBytes({ method: 'GET', target: '/accents', credential, contentType: '', framing: [], body: '' });
  const close = mintBytes({
    method: 'GET',
    target: '/voices?limit=1',
    credential,
    contentType: '',
    framing: [],
    body: '',
    fields: ['Connection: close'],
  });
  connection.send(speech({ credential }) + read + close);
  await connection.ended();
  const answers = connection.rest().split(/(?=HTTP\/1\.1 200 OK\r\n)/);
  t.match(answers, [/content-type: audio\//i, /"locale"/, /"is_public"/]);
  t.equal(answers.length, 3);
});

test('on carried routes CONNECT, TRACE, OPTIONS * and bad expectations are refused, and upgrades ignored', async (t) => {
  const running = await startCarrying(t);
  const { broker, simulator, token: credential } = running;
  const answered = async (bytes: string): Promise<number> => {
    const connection = await openRaw(t, broker.url);
    connection.send(bytes);
    const { status } = await connection.response();
    connection.socket.destroy();
    return status;
  };
  t.equal(await answered(`TRACE ${TARGET} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer ${credential}\r\n\r\n`), 404);
  t.equal(await answered('CONNECT api.cartesia.ai:443 HTTP/1.1\r\nHost: b\r\n\r\n'), 400);
  t.equal(await answered('OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n'), 400);
  t.equal(
    await answered(
      speech({
        credential: 'nobody',
        fields: ['Expect: 100-continue'],
        body: '',
        framing: [`Content-Length: ${BODY.length}`],
      }),
    ),
    401,
  );
  t.equal(
    await answered(
      speech({ credential, fields: ['Expect: 100-continue'], body: '', framing: ['Content-Length: 999999'] }),
    ),
    413,
  );
  t.equal(await answered(speech({ credential, fields: ['Expect: tea'] })), 417);
  t.strictSame(simulator.journal.entries(), [], 'Cartesia was not asked');

  const h2c = ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'];
  const read = mintBytes({
    method: 'GET',
    target: '/accents',
    credential,
    contentType: '',
    framing: [],
    body: '',
    fields: h2c,
  });
  t.equal(await answered(read), 200, 'an upgrade that nobody offers is ignored');
  const [entry] = simulator.journal.entries();
  t.strictSame([entry?.headers['upgrade'], entry?.headers['http2-settings']], [undefined, undefined]);
});

test('an ambiguous or unknown target of any carried route is 400 or 404, with a credential and without', async (t) => {
  const running = await startCarrying(t);
  const { broker, simulator, token } = running;
  for (const { method, path } of ENDPOINTS) {
    const route = path.replace(':id', VOICE);
    const targets = [
      `/${route}`,
      `${route}/`,
      `${route}//x`,
      `${route}//`,
      `/x/..${route}`,
      `/x/%2e%2e${route}`,
      `/.${route}`,
      `${route}/.`,
      `${route}/..`,
      `${route}/../agents/calls`,
      `${route}%2f`,
      `${route}%2fagents`,
      `${route}%252f`,
      `${route};a=b`,
      route.toUpperCase(),
      `${route.slice(0, 2).toUpperCase()}${route.slice(2)}`,
      `${route}%00`,
      `${route}%zz`,
      `${route}%`,
      `${route}#x`,
      route.replace('/', '\\'),
      `/v1${route}`,
      `/%${route.charCodeAt(1).toString(16)}${route.slice(2)}`,
      `/${'a'.repeat(9 * 1024)}`,
      `${route}/${'a'.repeat(9 * 1024)}`,
      `${route}?${'a'.repeat(9 * 1024)}`,
      `${route}?${'a=b&'.repeat(1000)}`,
    ];
    for (const target of targets) {
      for (const credential of [token, null]) {
        const connection = await openRaw(t, broker.url);
        const body = method === 'POST' ? BODY : '';
        connection.send(
          mintBytes({
            method,
            target,
            credential,
            body,
            ...(method === 'GET' ? { framing: [], contentType: '' } : {}),
          }),
        );
        const response = await connection.response();
        connection.socket.destroy();
        const name = `${method} ${target.slice(0, 50)}${credential === null ? ' without a credential' : ''}`;
        t.ok(response.status === 404 || response.status === 400, `${name}: ${response.status}`);
        isProblem(t, response, response.status === 404 ? 'not_found' : 'invalid_request', name);
        t.notOk(response.body.includes(token), 'no secret in it');
      }
    }
  }
  t.strictSame(simulator.journal.entries(), [], 'Cartesia was not asked');
});
