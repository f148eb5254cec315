// Before anything is accepted: every refusal is an HTTP response in the common error shape, and upstream hears of none.
import { randomBytes } from 'node:crypto';
import { type Test, test } from 'tap';
import { redisServer } from '../store/redis-server.ts';
import { openRaw } from './raw-connection.ts';
import { frameOf, handshake, openRawSocket } from './raw-socket.ts';
import { clientOf, logged, type SocketBroker, STT_PATH, speech, startSocketBroker } from './socket-broker.ts';

async function answerTo(t: Test, { broker }: SocketBroker, text: string) {
  const connection = await openRaw(t, broker.url);
  connection.send(text);
  const answer = await connection.response();
  await connection.ended();
  t.equal(connection.rest(), '', 'nothing after the answer');
  t.equal(answer.headers['connection'], 'close');
  t.equal(answer.json['request_id'], answer.headers['x-request-id']);
  return answer;
}

async function mint({ broker, appKey }: SocketBroker, body: object) {
  const response = await fetch(`${broker.url}/access-token`, {
    method: 'POST',
    headers: { authorization: `Bearer ${appKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('invalid or disallowed handshakes are refused before any 101', async (t) => {
  const running = await startSocketBroker(t);
  const { broker, headers, simulator } = running;
  const open = (path: string, more: Readonly<Record<string, string>> = {}) =>
    handshake(broker.url, path, { ...headers, ...more });
  const without = (name: string) => open('/tts/websocket').replace(new RegExp(`${name}: [^\\r]*\\r\\n`), '');
  for (const [name, text, status, code] of [
    ['no key', without('Sec-WebSocket-Key'), 400, 'invalid_request'],
    ['a short key', open('/tts/websocket', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }), 400, 'invalid_request'],
    [
      'a key of 17 bytes',
      open('/tts/websocket', { 'Sec-WebSocket-Key': 'MDEyMzQ1Njc4OTAxMjM0NTY=' }),
      400,
      'invalid_request',
    ],
    [
      'a key with bits after its sixteenth byte',
      open('/tts/websocket', { 'Sec-WebSocket-Key': 'MDEyMzQ1Njc4OTAxMjM0NR==' }),
      400,
      'invalid_request',
    ],
    ['version 12', open('/tts/websocket', { 'Sec-WebSocket-Version': '12' }), 400, 'invalid_request'],
    ['no version', without('Sec-WebSocket-Version'), 400, 'invalid_request'],
    ['POST', open('/tts/websocket').replace('GET', 'POST'), 404, 'not_found'],
    ['HTTP/1.0', open('/tts/websocket').replace('HTTP/1.1', 'HTTP/1.0'), 400, 'invalid_request'],
    [
      'a plain GET',
      open('/tts/websocket', { Connection: 'close' }).replace('Upgrade: websocket\r\n', ''),
      400,
      'invalid_request',
    ],
    ['another protocol', open('/tts/websocket').replace('Upgrade: websocket', 'Upgrade: h2c'), 400, 'invalid_request'],
    ['an unknown origin', open('/tts/websocket', { Origin: 'https://evil.test' }), 403, 'origin_not_allowed'],
    ['no credential', without('Authorization'), 401, 'unauthenticated'],
    ['a wrong credential', open('/tts/websocket', { Authorization: 'Bearer cb_wrong' }), 401, 'unauthenticated'],
    [
      'an app key in the URL',
      `${without('Authorization').replace('/tts/websocket', `/tts/websocket?api_key=${running.appKey}`)}`,
      401,
      'unauthenticated',
    ],
    ['two credentials that differ', open('/tts/websocket?access_token=other'), 400, 'invalid_request'],
    ['an unknown path', open('/tts/websockets'), 404, 'not_found'],
    ['sessions of an agent', open('/v1/agents/websocket/a/sessions'), 404, 'not_found'],
    ['an invalid agent id', open('/agents/stream/a.b'), 404, 'not_found'],
    ['a slash at the end', open('/tts/websocket/'), 404, 'not_found'],
    ['upper case', open('/TTS/websocket'), 404, 'not_found'],
    ['an encoded path', open('/tts%2fwebsocket'), 400, 'invalid_request'],
    ['a version that is not a date', open('/tts/websocket?cartesia_version=tomorrow'), 400, 'invalid_version'],
    [
      'the version twice',
      open('/tts/websocket?cartesia_version=2026-03-01&cartesia_version=2026-03-01'),
      400,
      'invalid_request',
    ],
    ['a query with a broken escape', open('/tts/websocket?a=%zz'), 400, 'invalid_request'],
    ['two hosts', open('/tts/websocket', { 'X-A': 'b\r\nHost: other' }), 400, 'invalid_request'],
    ['a body', `${open('/tts/websocket', { 'Content-Length': '5' })}hello`, 400, 'invalid_request'],
  ] as const) {
    await t.test(name, async (t) => {
      const answer = await answerTo(t, running, text);
      t.equal(answer.status, status);
      t.equal(answer.json['error_code'], code);
      const isOtherVersion = name === 'version 12' || name === 'no version';
      t.equal(answer.headers['sec-websocket-version'], isOtherVersion ? '13' : undefined, 'RFC 6455 §4.4');
    });
  }
  t.equal(simulator.journal.entries().length, 0, 'upstream heard of none');
});

test('a client that sends the address it connects to as its origin is served, as by React Native', async (t) => {
  for (const publicUrl of [undefined, 'https://voice.example.com/speech']) {
    const running = await startSocketBroker(t, { env: publicUrl === undefined ? {} : { PUBLIC_URL: publicUrl } });
    const { broker, headers } = running;
    const from = async (origin: string) =>
      (await answerTo(t, running, handshake(broker.url, '/tts/websocket', { ...headers, Origin: origin }))).status;
    const own = publicUrl === undefined ? broker.url : 'https://voice.example.com';
    await openRawSocket(t, broker.url, '/tts/websocket', { ...headers, Origin: own });
    if (publicUrl !== undefined) t.equal(await from(broker.url), 403, 'not what Host says');
    t.equal(await from('https://voice.example.com.evil.test'), 403);
  }
});

test('a grant opens only its own sockets, and an expired token opens none', async (t) => {
  let now = Date.now();
  const running = await startSocketBroker(t, { seams: { now: () => now } });
  const { broker, simulator } = running;
  const { body } = await mint(running, { grants: { stt: true }, expires_in: 30 });
  const token = String(body['token']);
  running.watch.add({ name: 'proxied token', value: token });
  const tts = await answerTo(t, running, handshake(broker.url, `/tts/websocket?access_token=${token}`, {}));
  t.match([tts.status, tts.json['error_code']], [403, 'endpoint_not_allowed']);
  t.match(tts.json['message'], /grant "tts"/);
  await openRawSocket(t, broker.url, `${STT_PATH}&access_token=${token}`, {});
  now += 31_000;
  const late = await answerTo(t, running, handshake(broker.url, `${STT_PATH}&access_token=${token}`, {}));
  t.match([late.status, late.json['error_code']], [401, 'token_expired']);
  t.equal(simulator.journal.entries({ path: '/stt/websocket' }).length, 1);
});

test('upstream gets our key in a header, one version, and only the query parameters that are not ours', async (t) => {
  const running = await startSocketBroker(t);
  const { broker, simulator, logText } = running;
  const { body } = await mint(running, { expires_in: 60 });
  const token = String(body['token']);
  running.watch.add({ name: 'proxied token', value: token });
  const socket = await openRawSocket(
    t,
    broker.url,
    `/stt/websocket?model=ink-2&access_token=${token}&cartesia_version=2026-03-01&encoding=pcm_s16le&sample_rate=16000&keyterm=a%20b`,
    { 'Cartesia-Version': '2025-04-16', Cookie: 'a=b', 'X-Forwarded-For': '1.2.3.4' },
  );
  const entry = simulator.journal.entries().at(-1);
  t.equal(entry?.url, '/stt/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000&keyterm=a%20b');
  t.equal(entry?.headers['authorization'], `Bearer ${simulator.apiKey}`);
  t.equal(entry?.headers['cartesia-version'], '2026-03-01', 'the query names it, so the header does not count');
  for (const name of ['cookie', 'x-forwarded-for', 'x-api-key', 'origin'])
    t.equal(entry?.headers[name], undefined, name);
  t.match(socket.head, `cartesia-request-id: ${entry?.requestId}`);
  const { request_id: id } = await logged(running, ({ status }) => status === 101);
  t.match(socket.head, `x-request-id: ${id}`);
  t.notMatch(logText(), token);
});

test('as many key terms as Cartesia allows pass', async (t) => {
  const running = await startSocketBroker(t);
  const { broker, headers, simulator } = running;
  const terms = Array.from({ length: 100 }, (_, n) => `&keyterm=term%20${n}`).join('');
  await openRawSocket(t, broker.url, `${STT_PATH}${terms}&cartesia_version=2026-08-14`, headers);
  t.equal(simulator.journal.entries().at(-1)?.url, `${STT_PATH}${terms}`);
});

test('a single-use token opens one socket, once, and nothing else', async (t) => {
  let now = Date.now();
  const running = await startSocketBroker(t, { seams: { now: () => now } });
  const { broker } = running;
  const minted = await mint(running, { grants: { tts: true }, expires_in: 300, single_use: true });
  t.equal(minted.status, 200);
  const left = Number(minted.body['expires_in']); // one less if a second has passed in between
  t.ok(left > 50 && left <= 60, `no longer than a minute: ${left}`);
  const token = String(minted.body['token']);

  const http = await fetch(`${broker.url}/tts/bytes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  });
  t.equal(http.status, 403);
  t.match(await http.json(), { error_code: 'endpoint_not_allowed' });
  const refused = await answerTo(t, running, handshake(broker.url, `/stt/websocket?access_token=${token}`, {}));
  t.equal(refused.status, 403, 'a refusal does not use it up');

  const socket = await openRawSocket(t, broker.url, `/tts/websocket?access_token=${token}`, {});
  socket.send(frameOf(1, speech('a', 'Hello.')));
  t.match(await socket.event(), { type: 'chunk' });
  const again = await answerTo(t, running, handshake(broker.url, `/tts/websocket?access_token=${token}`, {}));
  t.match([again.status, again.json['error_code']], [401, 'unauthenticated']);
  await logged(running, (line) => line['reason'] === 'single_use_spent');

  const late = String((await mint(running, { single_use: true, expires_in: 30 })).body['token']);
  now += 31_000;
  const expired = await answerTo(t, running, handshake(broker.url, `/tts/websocket?access_token=${late}`, {}));
  t.match([expired.status, expired.json['error_code']], [401, 'token_expired']);
});

test('of many upgrades with one single-use token, exactly one opens', async (t) => {
  const running = await startSocketBroker(t, { simulator: { plan: 'scale' } });
  const { body } = await mint(running, { grants: { tts: true }, single_use: true });
  const path = `/tts/websocket?access_token=${body['token']}`;
  const tries = await Promise.allSettled(
    Array.from({ length: 20 }, () => openRawSocket(t, running.broker.url, path, {})),
  );
  t.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1);
  t.equal(running.simulator.journal.entries({ path: '/tts/websocket' }).length, 1);
});

test('a single-use token still works after a refusal that says "try again", but not after a final one', async (t) => {
  for (const env of [{}, { REDIS_URL: (await redisServer(t)).url.reveal() }]) {
    const running = await startSocketBroker(t, {
      env, // a store that was empty gives nothing out for a second
      file: (digest) => ({
        upstream: { concurrency: { stt: 1 } },
        limits: { queue: { wait: 2 } },
        ...clientOf(digest),
      }),
    });
    const { broker, simulator, headers } = running;
    const pathOf = async (grant: string, path: string): Promise<string> => {
      const { body } = await mint(running, { grants: { [grant]: true }, single_use: true });
      return `${path}access_token=${body['token']}`;
    };
    const tts = await pathOf('tts', '/tts/websocket?');
    simulator.faults.add({ match: { path: '/tts/websocket' }, times: 1, action: { type: 'answer', status: 503 } });
    const refused = await answerTo(t, running, handshake(broker.url, tts, {}));
    t.match([refused.status, refused.headers['x-should-retry']], [503, 'true']);
    t.ok(await openRawSocket(t, broker.url, tts, {}), 'the same URL again');
    t.equal((await answerTo(t, running, handshake(broker.url, tts, {}))).status, 401, 'but only once');

    const stt = await pathOf('stt', `${STT_PATH}&`);
    const holder = await openRawSocket(t, broker.url, STT_PATH, headers);
    await t.rejects(openRawSocket(t, broker.url, stt, {}), /HTTP\/1.1 429 /);
    holder.socket.destroy();
    t.ok(await openRawSocket(t, broker.url, stt, {}));

    const final = await pathOf('tts', '/tts/websocket?');
    simulator.faults.add({ match: { path: '/tts/websocket' }, times: 1, action: { type: 'answer', status: 400 } });
    t.equal((await answerTo(t, running, handshake(broker.url, final, {}))).status, 400);
    t.equal((await answerTo(t, running, handshake(broker.url, final, {}))).status, 401);
  }
});

test('direct delivery has no single-use tokens', async (t) => {
  const running = await startSocketBroker(t, { env: { DELIVERY: 'direct' } });
  const { status, body } = await mint(running, { single_use: true });
  t.equal(status, 400);
  t.match(body, { error_code: 'invalid_request', message: /single_use/ });
  t.equal(running.simulator.journal.entries().length, 0, 'nothing was minted');
});

test('an upgrade sent while an earlier request runs is refused after the answer to that request', async (t) => {
  const running = await startSocketBroker(t, {
    env: { DELIVERY: 'direct', PROXY: 'true' },
    simulator: { settings: { latency: { mintMs: 200 } } },
  });
  const { broker, headers, appKey, simulator } = running;
  const connection = await openRaw(t, broker.url);
  connection.send(
    `POST /access-token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${appKey}\r\n\r\n${handshake(broker.url, '/tts/websocket', headers)}`,
  );
  t.equal((await connection.response()).status, 200);
  const refused = await connection.response();
  t.equal(refused.status, 400);
  t.match(refused.json, { error_code: 'invalid_request', message: /wait/ });
  await connection.ended();
  t.equal(simulator.journal.entries({ path: '/tts/websocket' }).length, 0);
});

test('an upgrade works on a connection that has served requests before', async (t) => {
  const { broker, headers } = await startSocketBroker(t);
  const connection = await openRaw(t, broker.url);
  connection.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.equal((await connection.response()).status, 200);
  connection.send(handshake(broker.url, '/tts/websocket', headers));
  t.equal((await connection.response()).status, 101);
});

test('a socket has one request line, and one more when it ends', async (t) => {
  const running = await startSocketBroker(t);
  const { broker, headers, logs } = running;
  const { socket } = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  await logged(running, ({ msg }) => msg === 'request');
  socket.destroy();
  await logged(running, ({ msg }) => msg === 'socket closed');
  const next = await openRaw(t, broker.url);
  next.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.equal((await next.response()).status, 200);
  t.strictSame(
    logs.filter(({ route }) => route === '/tts/websocket').map(({ msg, status }) => [msg, status]),
    [
      ['request', 101],
      ['socket closed', undefined],
    ],
  );
});

test('a client may write `Upgrade: websocket` in any case', async (t) => {
  const { broker, headers } = await startSocketBroker(t);
  for (const name of ['WebSocket', 'WEBSOCKET']) {
    const connection = await openRaw(t, broker.url);
    connection.send(handshake(broker.url, '/tts/websocket', headers).replace('Upgrade: websocket', `Upgrade: ${name}`));
    t.equal((await connection.response()).status, 101, name);
  }
});

test('an agent, a model or a language that is not on the list is refused by the target alone', async (t) => {
  const running = await startSocketBroker(t, {
    file: (digest) => clientOf(digest, { content: { agents: ['agent_a'], models: ['ink-2'], languages: ['en'] } }),
  });
  const { broker, headers, simulator } = running;
  const open = (path: string) => handshake(broker.url, path, headers);
  for (const path of [
    '/agents/stream/agent_b',
    '/v1/agents/websocket/agent_b',
    '/stt/websocket?model=ink-whisper',
    '/stt/websocket',
    '/stt/turns/websocket?model=ink-preview',
    '/stt/websocket?model=ink-2&language=de',
  ]) {
    const answer = await answerTo(t, running, open(path));
    t.match([answer.status, answer.json['error_code']], [403, 'content_not_allowed'], path);
  }
  for (const path of ['/stt/websocket?model=ink-2&model=ink-whisper', '/stt/websocket?model=ink-2&Model=x']) {
    t.equal((await answerTo(t, running, open(path))).status, 400, path);
  }
  t.equal(simulator.journal.entries().length, 0);
  await openRawSocket(t, broker.url, '/agents/stream/agent_a', headers);
});

test('a browser can read a refusal if the operator enables this', async (t) => {
  const origin = 'https://app.example.com';
  const running = await startSocketBroker(t, {
    file: (digest) => ({
      ...clientOf(digest, { grants: ['tts', 'stt'], origins: [origin] }),
      sockets: { browser_refusals: 'event' },
    }),
  });
  const { broker, headers } = running;
  const tts = await openRawSocket(t, broker.url, '/tts/websocket?access_token=no', { Origin: origin });
  t.match(await tts.event(), {
    type: 'error',
    done: true,
    status_code: 401,
    error_code: 'unauthenticated',
    error: /./,
  });
  t.strictSame(await tts.closing(), { code: 1008, reason: 'unauthenticated' });
  await tts.ended();
  const stt = await openRawSocket(t, broker.url, '/stt/websocket?access_token=no', { Origin: origin });
  const event = await stt.event();
  t.match(event, { type: 'error', status_code: 401, message: /./ });
  t.notOk('done' in event || 'context_id' in event);
  const agent = await openRawSocket(t, broker.url, '/v1/agents/websocket/a', { ...headers, Origin: origin });
  t.match(await agent.event(), { type: 'error', code: 'endpoint_not_allowed', fatal: true });
  t.equal((await agent.closing()).code, 1008);
  const line = await openRawSocket(t, broker.url, '/agents/stream/a', { ...headers, Origin: origin });
  const { opcode, payload } = await line.frame();
  t.strictSame([opcode, payload.readUInt16BE(0)], [8, 1008], 'a Line agent has no error event');
  const broken = handshake(broker.url, '/tts/websocket', { Origin: origin, 'Sec-WebSocket-Key': 'short' });
  t.equal((await answerTo(t, running, broken)).status, 401, 'there is no socket in which to say it');

  running.simulator.configure({ limits: { ttsSockets: 0 } });
  const full = await openRawSocket(t, broker.url, '/tts/websocket', { ...headers, Origin: origin });
  t.match(await full.event(), { status_code: 429, error_code: 'concurrency_limited', source: 'upstream' });
  t.strictSame(await full.closing(), { code: 1013, reason: 'concurrency_limited' }, 'worth another try');
  await t.rejects(
    openRawSocket(t, broker.url, '/tts/websocket', headers),
    /HTTP\/1.1 429/,
    'a program reads the status',
  );
});

test('a refusal by Cartesia keeps its code in the form that browsers can read', async (t) => {
  const origin = 'https://app.example.com';
  const { broker, headers, simulator } = await startSocketBroker(t, {
    file: (digest) => ({ ...clientOf(digest, { origins: [origin] }), sockets: { browser_refusals: 'event' } }),
  });
  for (const [status, code, closeCode, reason] of [
    [402, 'plan_upgrade_required', 1008, 'plan_upgrade_required'],
    [429, 'concurrency_limited', 1013, 'concurrency_limited'],
    [503, null, 1013, 'upstream_unavailable'],
  ] as const) {
    for (const path of ['/tts/websocket', '/v1/agents/websocket/a']) {
      simulator.faults.add({ match: {}, times: 1, action: { type: 'answer', status, code } });
      const socket = await openRawSocket(t, broker.url, path, { ...headers, Origin: origin });
      const event = await socket.event();
      if (path.includes('agents')) t.strictSame(event['code'], reason);
      else t.match(event, { status_code: status, error_code: code, source: 'upstream' });
      t.strictSame(await socket.closing(), { code: closeCode, reason });
    }
  }
});

test('a request line of nine thousand bytes gets 400, and headers of seventeen thousand get 431', async (t) => {
  const running = await startSocketBroker(t);
  const { broker, headers } = running;
  const long = await answerTo(t, running, handshake(broker.url, `/tts/websocket?a=${'a'.repeat(9000)}`, headers));
  t.equal(long.status, 400);
  const big = await openRaw(t, broker.url);
  big.send(handshake(broker.url, '/tts/websocket', { ...headers, 'X-A': 'a'.repeat(17_000) }));
  t.equal((await big.response()).status, 431);
});

test('an API key that Cartesia refuses: 502 and an alarm, never 401', async (t) => {
  const running = await startSocketBroker(t, {
    env: { CARTESIA_API_KEY: `sk_car_${randomBytes(12).toString('hex')}` },
  });
  const { broker, headers } = running;
  const answer = await answerTo(t, running, handshake(broker.url, '/tts/websocket', headers));
  t.match([answer.status, answer.json['error_code']], [502, 'upstream_rejected'], 'never 401 to the client');
  t.match(await running.broker.metrics.registry.metrics(), /broker_upstream_key_rejected_total 1/);
});
