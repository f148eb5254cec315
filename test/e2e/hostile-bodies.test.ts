// Hostile bodies, media types and versions of a mint, over raw sockets.
import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { makeCanary } from '../canary/canary.ts';
import { type MintBytes, mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';
import { startRunningBroker } from './running-broker.ts';

const nested = (levels: number): string => `{"grants":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;

const BAD_BODIES: readonly string[] = [
  '',
  ' ',
  '{',
  '{} x',
  '{}{}',
  '[]',
  'null',
  '"a"',
  '1',
  'true',
  '{"expires_in":"60"}',
  '{"expires_in":true}',
  '{"expires_in":[60]}',
  '{"expires_in":1.5}',
  '{"expires_in":0}',
  '{"expires_in":-1}',
  '{"expires_in":3601}',
  '{"expires_in":1e309}',
  '{"expires_in":-1e309}',
  '{"expires_in":9007199254740993}',
  '{"expires_in":NaN}',
  '{"ttl":60}',
  '{"Expires_in":60}',
  '{"expires_in":60,"expires_in":3600}',
  '{"expires_in":60,"expires\\u005fin":3600}',
  '{"__proto__":{"tts":true}}',
  '{"grants":{"__proto__":{"tts":true}}}',
  '{"constructor":{"prototype":{}}}',
  '{"grants":{"admin":true}}',
  '{"grants":{"tts":1}}',
  '{"grants":{"tts":"true"}}',
  '{"grants":["tts"]}',
  '{"grants":"tts"}',
  '{"grants":true}',
  nested(21),
  '{"grants":{"tts":true},"grants":{"stt":true}}',
  '{"a":"\xff"}',
  '\xef\xbb\xbf{}',
  "{'grants':null}",
  '{"grants":null,}',
  `{${Array.from({ length: 101 }, (_, i) => `"k${i}":0`).join()}}`,
];

test('a body that is not exactly a mint request is 400, and mints nothing', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  for (const body of BAD_BODIES) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential, body }));
    isProblem(t, await connection.response(), 'invalid_request', body.slice(0, 50));
    connection.socket.destroy();
  }
  t.strictSame(simulator.journal.entries(), []);
  t.equal(({} as Record<string, unknown>)['tts'], undefined, 'no prototype was touched');
});

test('what is refused is repeated neither in the answer nor in the log', async (t) => {
  const { broker, watch, appKey: credential } = await startRunningBroker(t);
  const secret = makeCanary('secret in a body');
  watch.add(secret);
  for (const body of [
    secret.value,
    `{"${secret.value}":1}`,
    `{"expires_in":"${secret.value}"}`,
    `{"grants":{"${secret.value}":true}}`,
    `{"grants":"${secret.value}"`,
  ]) {
    const connection = await openRaw(t, broker.url);
    connection.send(
      mintBytes({ credential, body, fields: [`Cartesia-Version: ${secret.value}`, `X-A: ${secret.value}`] }),
    );
    t.equal((await connection.response()).status, 400);
    connection.socket.destroy();
  }
  t.strictSame(watch.leaks(), []);
});

test('a body over the limit is 413, whether its length was announced or not', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  const limit = 16 * 1024;
  const padded = (length: number): string => `{}${' '.repeat(length - 2)}`;
  const chunked = (body: string): string =>
    mintBytes({
      credential,
      framing: ['Transfer-Encoding: chunked'],
      body: `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    });
  for (const bytes of [mintBytes({ credential, body: padded(limit + 1) }), chunked(padded(limit + 1))]) {
    const connection = await openRaw(t, broker.url);
    connection.send(bytes);
    const response = await connection.response();
    isProblem(t, response, 'payload_too_large');
    t.equal(response.headers['connection'], 'close');
    await connection.ended();
  }
  t.strictSame(simulator.journal.entries(), []);
  for (const bytes of [mintBytes({ credential, body: padded(limit) }), chunked(padded(limit))]) {
    const connection = await openRaw(t, broker.url);
    connection.send(bytes);
    t.equal((await connection.response()).status, 200, 'at the limit');
  }
});

test('only JSON in UTF-8 is read', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  for (const contentType of [
    '',
    'text/plain',
    'text/plain; application/json',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json-patch+json',
    'application/problem+json',
    'application/jsonx',
    'xapplication/json',
    'application',
    'application/json; charset=latin1',
    'application/json; charset="utf-16"',
    'application/json, text/plain',
    'json',
    ';',
    '__proto__',
    'constructor',
  ]) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential, contentType }));
    isProblem(t, await connection.response(), 'unsupported_media_type', `"${contentType}"`);
    connection.socket.destroy();
  }
  t.strictSame(simulator.journal.entries(), []);
  for (const contentType of [
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
  ]) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential, contentType }));
    t.equal((await connection.response()).status, 200, contentType);
  }
});

test('an encoded body is neither decoded nor read as it stands', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  for (const [coding, body] of [
    ['gzip', '\x1f\x8b\x08\0'],
    ['gzip', '{}'],
    ['identity, br', '{}'],
  ] as const) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential, fields: [`Content-Encoding: ${coding}`], body }));
    isProblem(t, await connection.response(), 'unsupported_media_type', JSON.stringify([coding, body]));
    connection.socket.destroy();
  }
  t.strictSame(simulator.journal.entries(), []);
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential, fields: ['Content-Encoding: Identity'], body: '{}' }));
  t.equal((await connection.response()).status, 200, 'identity is no encoding');
});

test('no more of a long refused body is read, and after a short one the connection stays open', async (t) => {
  const { broker } = await startRunningBroker(t, { env: { ADMIN_TOKEN: randomBytes(24).toString('hex') } });
  for (const [url, target] of [
    [broker.url, '/access-token'],
    [broker.url, '/nothing'],
    [broker.managementUrl, '/admin/revocations'],
    [broker.managementUrl, '/nothing'],
  ] as const) {
    const connection = await openRaw(t, url);
    connection.send(mintBytes({ target, credential: 'nobody', body: '{}' }));
    t.not((await connection.response()).headers['connection'], 'close', target);
    connection.send(mintBytes({ target, credential: 'nobody', framing: ['Content-Length: 50000000'], body: '{' }));
    t.equal((await connection.response()).headers['connection'], 'close', target);
    const sending = setInterval(() => connection.socket.write(Buffer.alloc(64 * 1024, ' ')), 1);
    connection.socket.on('error', () => {});
    t.ok((await connection.ended()) < 1000, target);
    clearInterval(sending);
  }
});

test('a grant beyond the policy is refused; a longer lifetime is shortened, and the answer says so', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t, { env: { TOKEN_TTL_MAX: '120' } });
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential, body: '{"grants":{"tts":true,"stt":true}}' }));
  isProblem(t, await connection.response(), 'grant_not_allowed');
  t.strictSame(simulator.journal.entries(), [], 'nothing was minted');
  connection.send(mintBytes({ credential, body: '{"expires_in":3600}' }));
  const { status, json } = await connection.response();
  t.equal(status, 200);
  t.equal(json['expires_in'], 120);
  t.strictSame(
    simulator.journal.entries().map((entry) => JSON.parse(entry.body)),
    [{ grants: { tts: true, stt: false, agent: false }, expires_in: 120 }],
  );
});

test('Cartesia-Version: a missing one is filled in, a date passes, anything else is 400', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  const refused = [
    'Cartesia-Version:',
    'Cartesia-Version: 2026-02-30',
    'Cartesia-Version: 2025-02-29',
    'Cartesia-Version: 2026-13-01',
    'Cartesia-Version: 2026-00-10',
    'Cartesia-Version: 2026-3-1',
    'Cartesia-Version: 20260301',
    'Cartesia-Version: 2026-03-01T00:00:00Z',
    'Cartesia-Version: 2026-03-01, 2025-04-16',
    'Cartesia-Version: latest',
    'Cartesia-Version: 2026-03-0\xb9',
    'Cartesia-Version: 2026-03-01\r\nCartesia-Version: 2026-03-01',
    'Cartesia-Version: 2026-03-01\r\ncartesia-version: 2025-04-16',
  ];
  for (const field of refused) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential, fields: [field] }));
    isProblem(t, await connection.response(), 'invalid_version', field);
    connection.socket.destroy();
  }
  t.strictSame(simulator.journal.entries(), []);
  for (const [fields, version] of [
    [[], '2026-03-01'],
    [['Cartesia-Version: 2024-06-10'], '2024-06-10'],
    [['Cartesia-Version: 2099-12-31'], '2099-12-31'],
    [['Cartesia-Version:   2024-02-29   '], '2024-02-29'],
  ] as const) {
    simulator.journal.clear();
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential, fields }));
    const { status, json } = await connection.response();
    t.equal(status, 200);
    t.equal(json['cartesia_version'], version);
    t.match(simulator.journal.entries(), [{ headers: { 'cartesia-version': version } }]);
  }
});

test('a media type without a body is a request without a body, and is answered on every kind of route', async (t) => {
  const { broker, appKey: credential } = await startRunningBroker(t);
  const answerTo = async (parts: Partial<MintBytes>) => {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ credential, body: '', framing: [], ...parts }));
    return connection.response();
  };
  t.match(await answerTo({}), { status: 200, json: { expires_in: 300 } }, 'as curl -X POST sends it');
  isProblem(t, await answerTo({ credential: null }), 'unauthenticated');
  isProblem(t, await answerTo({ target: '/nothing', credential: null }), 'not_found', 'no such route');
  isProblem(t, await answerTo({ method: 'DELETE', credential: null }), 'not_found', 'no such method');
});
