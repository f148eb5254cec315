// What passes between a client and Cartesia and what does not, checked against what Cartesia received.
import { createHash, randomBytes } from 'node:crypto';
import { type Test, test } from 'tap';
import { makeCanary } from '../canary/canary.ts';
import { startRawUpstream } from '../upstream/raw-upstream.ts';
import {
  type CarryingBroker,
  recordingForm,
  SPEECH,
  send,
  spokenWav,
  startCarrying,
  type Transport,
  untilQuiet,
} from './carried-broker.ts';
import { mintBytes } from './mint-bytes.ts';
import { openRaw } from './raw-connection.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

/** The newest request that Cartesia received. */
function received(running: CarryingBroker) {
  const entry = running.simulator.journal.entries().at(-1);
  if (entry === undefined) throw new Error('Cartesia was not asked');
  return entry;
}

const namesOf = (rawHeaders: readonly string[]): string[] =>
  rawHeaders
    .filter((_, at) => at % 2 === 0)
    .map((name) => name.toLowerCase())
    .sort();

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What the client gets for a response given as bytes. */
async function rawAnswer(t: Test, transport: Transport, head: readonly string[], body = 'RIFF') {
  const upstream = await startRawUpstream(({ socket }) => socket.write(`${head.join('\r\n')}\r\n\r\n${body}`));
  t.teardown(() => upstream.close());
  const running = await startCarrying(t, { transport, env: { CARTESIA_BASE_URL: upstream.url } });
  return {
    running,
    answer: await send(`${running.broker.url}/tts/bytes`, { credential: running.token, json: SPEECH }),
  };
}

for (const transport of ['undici', 'native'] as const) {
  test(`${transport}: a client cannot choose the credential or the version, and reveals nothing of itself to Cartesia`, async (t) => {
    const running = await startCarrying(t, { transport });
    const url = `${running.broker.url}/tts/bytes`;
    const answer = await send(url, {
      credential: running.token,
      json: SPEECH,
      headers: {
        'x-api-key': running.token,
        cookie: 'session=1',
        referer: 'https://app.example.com/private',
        'user-agent': 'app/1',
        'x-forwarded-for': '10.0.0.1',
        'x-original-url': '/agents/calls',
        'x-http-method-override': 'DELETE',
        'accept-encoding': 'gzip, br',
        'x-cartesia-client': 'cartesia-js/4.2.0',
        te: 'trailers',
        connection: 'keep-alive, authorization, cartesia-version, accept',
        accept: 'audio/wav',
      },
    });
    t.equal(answer.status, 200);
    const entry = received(running);
    t.strictSame(namesOf(entry.rawHeaders), [
      'accept-encoding',
      'authorization',
      'cartesia-version',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
      'x-cartesia-client',
    ]);
    t.match(entry.headers, {
      authorization: `Bearer ${running.simulator.apiKey}`,
      'cartesia-version': '2026-03-01',
      'accept-encoding': 'identity',
      'user-agent': 'cartesia-broker',
      host: new URL(running.simulator.url).host,
    });
  });

  test(`${transport}: credentials and versions in the query never reach Cartesia`, async (t) => {
    const running = await startCarrying(t, { transport });
    const secret = makeCanary('credential in a query');
    running.watch.add(secret);
    for (const query of [
      `api_key=${secret.value}`,
      `access_token=${secret.value}&limit=3`,
      `API_KEY=${secret.value}&Access_Token=${secret.value}`,
      `%61pi_key=${secret.value}&limit=3`,
      `api%5Fkey=${secret.value}`,
      `Authorization=Bearer+${secret.value}`,
      `X-API-Key=${secret.value}&x_api_key=${secret.value}`,
      `limit=3&api_key=${secret.value}&api_key=${secret.value}`,
    ]) {
      const { status } = await send(`${running.broker.url}/voices?${query}`, { credential: running.token });
      t.equal(status, 200, 'the header is the credential');
      const { url, rawHeaders } = received(running);
      t.equal(url, query.includes('limit') ? '/voices?limit=3' : '/voices');
      t.notOk(JSON.stringify(rawHeaders).includes(secret.value));
    }
    running.simulator.journal.clear();
    for (const query of [`api_key=${running.token}`, `access_token=${running.token}`]) {
      const { status } = await send(`${running.broker.url}/voices?${query}`);
      t.equal(status, 401, 'a credential in a URL does not count');
    }
    for (const query of [
      `a=1;api_key=x`,
      'a=%zz',
      'a=b&'.repeat(201),
      'cartesia_version=2025-04-16&cartesia_version=2025-04-16',
    ]) {
      const { status } = await send(`${running.broker.url}/voices?${query}`, { credential: running.token });
      t.equal(status, 400, query.slice(0, 30));
    }
    t.strictSame(running.simulator.journal.entries(), [], 'Cartesia was not asked');
  });

  test(`${transport}: the query's version precedes the header's; ours is the default, and always used if pinned`, async (t) => {
    const cases: readonly [query: string, header: string | null, fill: string | 400][] = [
      ['', null, '2026-03-01'],
      ['', '2025-04-16', '2025-04-16'],
      ['?cartesia_version=2024-11-13', '2025-04-16', '2024-11-13'],
      ['?cartesia_version=2024-11-13', null, '2024-11-13'],
      ['', '2026-02-30', 400],
      ['', 'latest', 400],
      ['?cartesia_version=', '2025-04-16', 400],
      ['?cartesia_version=2026-13-01', null, 400],
    ];
    for (const policy of ['fill', 'pin']) {
      const running = await startCarrying(t, { transport, env: { CARTESIA_VERSION_POLICY: policy } });
      for (const [query, header, expected] of cases) {
        running.simulator.journal.clear();
        const answer = await send(`${running.broker.url}/accents${query}`, {
          credential: running.token,
          headers: header === null ? {} : { 'cartesia-version': header },
        });
        if (expected === 400) {
          t.match(JSON.parse(answer.body.toString()), { error_code: 'invalid_version' });
          t.strictSame(running.simulator.journal.entries(), []);
        } else {
          t.equal(received(running).headers['cartesia-version'], policy === 'pin' ? '2026-03-01' : expected);
          t.equal(received(running).url, '/accents');
        }
      }
    }
  });

  test(`${transport}: only headers that describe Cartesia’s answer reach the client`, async (t) => {
    const { answer } = await rawAnswer(t, transport, [
      'HTTP/1.1 200 OK',
      'Content-Type: audio/wav',
      'Content-Length: 4',
      'Cartesia-Request-ID: req-1',
      'Cartesia-File-ID: file-1',
      'Set-Cookie: session=1',
      'Location: https://elsewhere.example/',
      'Server: cartesia',
      'Strict-Transport-Security: max-age=1',
      'Access-Control-Allow-Origin: *',
      'Access-Control-Allow-Credentials: true',
      'Cache-Control: public, max-age=999',
      'WWW-Authenticate: Basic',
      'Proxy-Authenticate: Basic',
      'Keep-Alive: timeout=1',
      'Connection: content-type, keep-alive',
      'Constructor: x',
      '__proto__: y',
      'X-Anything: z',
    ]);
    t.equal(answer.status, 200);
    t.equal(answer.body.toString(), 'RIFF');
    const { date, connection, 'keep-alive': keepAlive, 'x-request-id': id, ...rest } = answer.headers;
    t.match(id, /^[0-9a-f-]{36}$/);
    t.strictSame(
      { ...rest },
      {
        'content-type': 'audio/wav',
        'content-length': '4',
        'cartesia-request-id': 'req-1',
        'cartesia-file-id': 'file-1',
        'cache-control': 'no-cache, no-store',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
      },
    );
  });

  test(`${transport}: a client may keep what it reads, but must revalidate it`, async (t) => {
    const { broker, token } = await startCarrying(t, { transport });
    const { status, headers } = await send(`${broker.url}/voices`, { credential: token });
    t.match({ status, headers }, { status: 200, headers: { 'cache-control': 'private, no-cache' } });
  });

  test(`${transport}: informational answers, chunk extensions and trailers do not reach the client`, async (t) => {
    const informed = await rawAnswer(t, transport, [
      'HTTP/1.1 103 Early Hints',
      'Link: </x>',
      '',
      'HTTP/1.1 200 OK',
      'Content-Type: audio/wav',
      'Content-Length: 4',
    ]);
    t.equal(informed.answer.status, 200);
    t.equal(informed.answer.body.toString(), 'RIFF');
    t.equal(informed.answer.headers['link'], undefined);
    const trailed = await rawAnswer(
      t,
      transport,
      ['HTTP/1.1 200 OK', 'Content-Type: audio/wav', 'Transfer-Encoding: chunked', 'Trailer: X-Late'],
      '4;ext=1\r\nRIFF\r\n0\r\nX-Late: secret\r\nSet-Cookie: a=b\r\n\r\n',
    );
    t.equal(trailed.answer.body.toString(), 'RIFF');
    t.ok(trailed.answer.isComplete);
    t.notOk(JSON.stringify(trailed.answer.rawHeaders).includes('Late'));
  });

  test(`${transport}: a body reaches Cartesia byte for byte`, async (t) => {
    const running = await startCarrying(t, { transport });
    const url = running.broker.url;
    const odd = `{ "model_id":"sonic-3",\n "transcript":"caf\\u00e9 – 😀 \\/", "unknown":{"z":1.0,"a":1e2,"n":-0.0},\t"voice":{"mode":"id","id":"${SPEECH.voice.id}"},"output_format":{"container":"raw","encoding":"pcm_s16le","sample_rate":8000} }`;
    t.equal((await send(`${url}/tts/bytes`, { credential: running.token, body: odd, headers: JSON_TYPE })).status, 200);
    t.equal(received(running).body, odd);
    for (const type of ['application/json; charset=utf-8', 'Application/JSON', undefined]) {
      const answer = await send(`${url}/tts/bytes`, {
        credential: running.token,
        body: odd,
        headers: type === undefined ? {} : { 'content-type': type },
      });
      t.equal(answer.status, 200, `${type}`);
      t.equal(received(running).body, odd);
      t.equal(received(running).headers['content-type'], type ?? 'application/json');
    }
    t.equal((await send(`${url}/tts/sse`, { credential: running.token, body: odd })).status, 200, 'also events');

    const upstream = await startRawUpstream(({ socket }) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'),
    );
    t.teardown(() => upstream.close());
    const bare = await startCarrying(t, { transport, env: { CARTESIA_BASE_URL: upstream.url } });
    for (const size of [0, 1, 65_535, 65_536, 1_000_003]) {
      const form = recordingForm(randomBytes(size), { model: 'ink-whisper', language: 'en' });
      upstream.received = '';
      const answer = await send(`${bare.broker.url}/stt?encoding=pcm_s16le&sample_rate=16000`, {
        credential: bare.token,
        ...form,
      });
      t.equal(answer.status, 200);
      const body = Buffer.from(upstream.received.slice(upstream.received.indexOf('\r\n\r\n') + 4), 'latin1');
      t.equal(sha256(body), sha256(form.body), `a form with a file of ${size} bytes`);
      t.match(upstream.received, /^POST \/stt\?encoding=pcm_s16le&sample_rate=16000 HTTP\/1\.1\r\n/);
      t.match(upstream.received, new RegExp(`\r\ncontent-type: ${form.headers['content-type']}\r\n`, 'i'));
      t.match(upstream.received, new RegExp(`\r\ncontent-length: ${form.body.length}\r\n`, 'i'));
    }
  });

  test(`${transport}: a form sent in chunks reaches Cartesia complete`, async (t) => {
    const running = await startCarrying(t, { transport });
    const form = recordingForm(await spokenWav(running.simulator));
    const connection = await openRaw(t, running.broker.url);
    connection.send(
      `POST /stt HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer ${running.token}\r\nContent-Type: ${form.headers['content-type']}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    for (let at = 0; at < form.body.length; at += 10_007) {
      const piece = form.body.subarray(at, at + 10_007);
      connection.send(`${piece.length.toString(16)}\r\n`);
      connection.send(piece);
      connection.send('\r\n');
    }
    connection.send('0\r\nAuthorization: Bearer other\r\nX-Trailer: 1\r\n\r\n');
    const { status, json } = await connection.response({ withinMs: 5000 });
    t.equal(status, 200);
    t.match(json['text'], /quick brown fox/);
    const entry = received(running);
    t.equal(entry.bytesIn, form.body.length);
    t.equal(entry.headers['authorization'], `Bearer ${running.simulator.apiKey}`);
    t.equal(entry.headers['x-trailer'], undefined);
  });

  test(`${transport}: LiveKit’s way of calling works: the token in X-API-Key, JSON without a media type`, async (t) => {
    const running = await startCarrying(t, { transport });
    const answer = await send(`${running.broker.url}/tts/bytes`, {
      body: JSON.stringify(SPEECH),
      headers: { 'x-api-key': running.token, 'cartesia-version': '2025-04-16' },
    });
    t.equal(answer.status, 200);
    t.match(received(running).headers, {
      authorization: `Bearer ${running.simulator.apiKey}`,
      'cartesia-version': '2025-04-16',
      'x-api-key': undefined,
    });
    const differing = await send(`${running.broker.url}/tts/bytes`, {
      credential: running.token,
      body: JSON.stringify(SPEECH),
      headers: { 'x-api-key': running.appKey },
    });
    t.equal(differing.status, 400, 'two credentials that differ');
  });

  test(`${transport}: a body that is too large gets 413, and Cartesia is never asked`, async (t) => {
    const running = await startCarrying(t, { transport });
    const url = running.broker.url;
    const long = JSON.stringify({ ...SPEECH, transcript: 'x'.repeat(300 * 1024) });
    for (const headers of [JSON_TYPE, {}]) {
      const answer = await send(`${url}/tts/bytes`, { credential: running.token, body: long, headers });
      t.equal(answer.status, 413);
      t.match(JSON.parse(answer.body.toString()), { error_code: 'payload_too_large', source: 'broker' });
    }
    const connection = await openRaw(t, url);
    connection.send(
      `POST /stt HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer ${running.token}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${600 * 1024 * 1024}\r\n\r\n`,
    );
    t.match((await connection.response()).json, { error_code: 'payload_too_large' });
    t.strictSame(running.simulator.journal.entries(), [], 'Cartesia was not asked');
    await untilQuiet(running, 0);
  });

  test(`${transport}: a body that the endpoint does not take is refused here`, async (t) => {
    const running = await startCarrying(t, { transport });
    const url = running.broker.url;
    const cases: readonly [string, string, Record<string, string>, number][] = [
      ['/tts/bytes', '{}', { 'content-type': 'text/plain' }, 415],
      ['/tts/bytes', '{}', { 'content-type': 'multipart/form-data; boundary=b' }, 415],
      ['/tts/bytes', '<x/>', { 'content-type': 'application/xml' }, 415],
      ['/tts/bytes', '{}', { ...JSON_TYPE, 'content-encoding': 'gzip' }, 415],
      ['/stt', 'x', { 'content-type': 'multipart/form-data; boundary=b', 'content-encoding': 'br' }, 415],
      ['/tts/bytes', '{', JSON_TYPE, 400],
      ['/tts/bytes', '{} x', {}, 400],
      ['/tts/bytes', '{"a":1,"a":2}', JSON_TYPE, 400],
      ['/tts/bytes', '{"transcript":"\xff"}', JSON_TYPE, 400],
      ['/tts/bytes', '', JSON_TYPE, 400],
      ['/tts/bytes', '', {}, 400],
      ['/tts/sse', '{"model_id":"a","Model_ID":"b"}', JSON_TYPE, 400],
      ['/stt', '{}', JSON_TYPE, 415],
      ['/stt', 'x', {}, 415],
      ['/stt', 'x', { 'content-type': 'application/octet-stream' }, 415],
      ['/audio/transcriptions', 'x', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ];
    for (const [path, body, headers, status] of cases) {
      const answer = await send(`${url}${path}`, {
        credential: running.token,
        body: Buffer.from(body, 'latin1'),
        headers,
      });
      t.equal(answer.status, status, `${path} ${body} ${JSON.stringify(headers)}`);
      t.match(JSON.parse(answer.body.toString()), { source: 'broker' });
    }
    t.strictSame(running.simulator.journal.entries(), []);
  });
}

test('a refusal closes the connection only if it leaves a body unread', async (t) => {
  const { broker, token } = await startCarrying(t);
  const reading = (target: string, credential: string): string =>
    mintBytes({ method: 'GET', target, credential, framing: [], contentType: '', body: '' });
  const connection = await openRaw(t, broker.url);
  for (const [bytes, status] of [
    [reading('/voices', 'nobody'), 401],
    [reading('/voices/a~b', token), 404],
    [reading('/voices', token), 200],
  ] as const) {
    connection.send(bytes);
    const answer = await connection.response();
    t.equal(answer.status, status);
    t.not(answer.headers['connection'], 'close', `${status} leaves it open`);
  }
  connection.send(
    mintBytes({ target: '/tts/bytes', credential: 'nobody', framing: ['Content-Length: 9000'], body: '{' }),
  );
  const refused = await connection.response();
  t.match(refused, { status: 401, headers: { connection: 'close' } });
  await t.resolves(connection.ended());
});
