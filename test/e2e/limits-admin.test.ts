// The admin API and its command, on running brokers.
import { randomBytes, randomUUID } from 'node:crypto';
import { type Test, test } from 'tap';
import { runAdmin } from '../../src/commands/admin.ts';
import { capturedIo } from '../commands/captured-io.ts';
import { connect } from '../simulator/sockets/socket-client.ts';
import { redisServer } from '../store/redis-server.ts';
import {
  type Answer,
  type CarryingBroker,
  mintProxied,
  open,
  recordingForm,
  SPEECH,
  send,
  spokenWav,
  startCarrying,
} from './carried-broker.ts';
import { metricsOf, problemOf, until } from './limits-answers.ts';
import { mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw, type RawConnection } from './raw-connection.ts';
import { openRawSocket } from './raw-socket.ts';
import { startRunningBroker } from './running-broker.ts';
import { STT_PATH, speech } from './socket-broker.ts';

interface Managed extends CarryingBroker {
  readonly adminToken: string;
  /** Calls the admin API. */
  admin(method: string, path: string, json?: unknown): Promise<Answer>;
}

async function setUp(t: Test, env: Readonly<Record<string, string>> = {}): Promise<Managed> {
  const adminToken = randomBytes(24).toString('hex');
  const running = await startCarrying(t, {
    env: { ADMIN_TOKEN: adminToken, ...env },
    client: { trusted: true },
    file: { usage: { prices: { million_characters: 50, hour_of_audio: 0.36 } } },
  });
  running.watch.add({ name: 'admin token', value: adminToken });
  return {
    ...running,
    adminToken,
    admin: (method, path, json) =>
      send(`${running.broker.managementUrl}${path}`, {
        method,
        credential: adminToken,
        ...(json === undefined ? {} : { json }),
      }),
  };
}

const speak = ({ broker, token }: CarryingBroker, credential = token) =>
  send(`${broker.url}/tts/bytes`, { credential, json: SPEECH });

const jsonOf = ({ body }: Answer): Record<string, unknown> => JSON.parse(body.toString()) as Record<string, unknown>;

/** The id in a token issued by the broker. */
function idOf(token: string): string {
  const { jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { jti: string };
  return jti;
}

test('without an admin token there is no admin API', async (t) => {
  const { broker } = await startCarrying(t);
  t.equal((await send(`${broker.managementUrl}/admin/sessions`, {})).status, 404);
});

test('all names that an operator reads are in snake_case', async (t) => {
  const running = await setUp(t, { TTS_CONCURRENCY: '2' });
  const token = randomUUID(); // of no existing token
  running.simulator.configure({ latency: { perChunkMs: 10_000 } });
  const speech = await open(`${running.broker.url}/tts/bytes`, { credential: running.token, json: SPEECH });
  t.teardown(() => speech.destroy());
  await running.admin('POST', '/admin/revocations', { scope: 'token', token });
  const said = {
    revocations: jsonOf(await running.admin('GET', '/admin/revocations')),
    sessions: jsonOf(await running.admin('GET', '/admin/sessions')),
    leases: jsonOf(await running.admin('GET', '/admin/leases')),
    health: jsonOf(await send(`${running.broker.managementUrl}/readyz`)),
  };
  t.match(said, {
    revocations: { revocations: [{ token, until: /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/ }] },
    sessions: { sessions: [{ endpoint: '/tts/bytes', age_ms: Number }] },
    leases: { leases: { tts: { leases: [{ client: 'kiosk', age_ms: Number }], waiting: 0, lowered_to: null } } },
    health: { upstream: { seconds_since_last_token: null } },
  });
  JSON.stringify(said, (name, value: unknown) => {
    t.match(name, /^[a-z0-9_]*$/);
    return value;
  });
});

test('the admin API opens only to its token and only on the management listener, and every call is audited', async (t) => {
  const running = await setUp(t);
  const { broker, appKey, adminToken, logs } = running;
  for (const credential of [undefined, appKey, `${adminToken}x`, adminToken.slice(1)]) {
    const refused = await send(
      `${broker.managementUrl}/admin/sessions`,
      credential === undefined ? {} : { credential },
    );
    t.equal(refused.status, 401);
    t.match(problemOf(refused), { error_code: 'unauthenticated' });
  }
  t.equal((await send(`${broker.url}/admin/sessions`, { credential: adminToken })).status, 404);
  const opened = await running.admin('GET', '/admin/sessions');
  t.equal(opened.status, 200);
  t.equal(opened.headers['cache-control'], 'no-store', 'who uses the broker must not be cached');
  t.strictSame(
    logs
      .filter(({ audit, route }) => audit === 'admin' && route === '/admin/sessions')
      .map(({ outcome, method, status }) => [outcome, method, status]),
    [...Array.from({ length: 4 }, () => ['unauthenticated', 'GET', 401]), ['ok', 'GET', 200]],
  );
});

const OUTCOMES: Readonly<Record<number, string>> = { 200: 'ok', 201: 'ok', 400: 'invalid_request', 404: 'not_found' };

test('an audit line names what the call was about, with the subject written as in all other lines', async (t) => {
  const running = await setUp(t);
  const token = randomUUID();
  await speak(running);
  await running.admin('POST', '/admin/revocations', { scope: 'everything' });
  await running.admin('POST', '/admin/revocations/restore', { scope: 'everything' });
  await running.admin('POST', '/admin/revocations', { scope: 'subject', client: 'kiosk', subject: 'kiosk' });
  await running.admin('POST', '/admin/revocations/restore', { scope: 'client', client: 'gone' });
  await running.admin('POST', '/admin/revocations', { scope: 'token', token });
  await running.admin('DELETE', '/admin/sessions/a-session');
  await running.admin('DELETE', `/admin/sessions/${'s'.repeat(65)}`);
  const { logs } = running;
  await until(() => logs.filter(({ audit }) => audit === 'admin').length === 7);
  const subject = logs.find(({ route }) => route === '/tts/bytes')?.['subject'];
  t.type(subject, 'string');
  t.match(
    logs.filter(({ audit }) => audit === 'admin'),
    [
      { scope: 'everything', outcome: 'ok' },
      { scope: 'everything', outcome: 'ok' },
      { scope: 'subject', client: 'kiosk', subject, outcome: 'ok' },
      { scope: 'client', client: 'gone', outcome: 'not_found' },
      { scope: 'token', token_id: token, outcome: 'ok' },
      { session: 'a-session', outcome: 'not_found' },
      { session: /^s{64}$/, outcome: 'not_found' },
    ],
  );
});

test('a revocation that did not reach Redis is not audited as a success', async (t) => {
  const redis = await redisServer(t);
  const running = await setUp(t, { REDIS_URL: redis.url.reveal() });
  await redis.kill();
  t.equal((await running.admin('POST', '/admin/revocations', { scope: 'everything' })).status, 503);
  await until(() => running.logs.some(({ audit }) => audit === 'admin'));
  t.match(
    running.logs.find(({ audit }) => audit === 'admin'),
    { outcome: 'store_unavailable', status: 503, scope: 'everything' },
  );
});

test('every call is audited, even a refused one, with its method and status and nothing of its body', async (t) => {
  const running = await setUp(t);
  const scope = { scope: 'subject', client: 'kiosk', subject: 'a-subject-nobody-logs' };
  const calls: readonly (readonly [string, string, unknown, number])[] = [
    ['GET', '/admin/revocations', undefined, 200],
    ['POST', '/admin/revocations', scope, 201],
    ['POST', '/admin/revocations', {}, 400],
    ['POST', '/admin/revocations/restore', scope, 200],
    ['GET', '/admin/sessions', undefined, 200],
    ['DELETE', '/admin/sessions/:id', undefined, 404],
    ['GET', '/admin/leases', undefined, 200],
    ['GET', '/admin/usage', undefined, 200],
  ];
  for (const [method, path, json, status] of calls)
    t.equal((await running.admin(method, path.replace(':id', 'none'), json)).status, status);
  await until(() => running.logs.filter(({ audit }) => audit === 'admin').length === calls.length);
  t.strictSame(
    running.logs
      .filter(({ audit }) => audit === 'admin')
      .map(({ method, route, status, outcome }) => [method, route, status, outcome]),
    calls.map(([method, path, , status]) => [method, path, status, OUTCOMES[status]]),
  );
  t.notMatch(running.logText(), 'a-subject-nobody-logs');
});

test('a call is audited even if its client leaves before the response, or its body breaks off', async (t) => {
  const running = await setUp(t);
  const { adminToken: credential, logs } = running;
  const target = '/admin/revocations';
  const body = '{"scope":"everything"}';
  const leave = (connection: RawConnection) => void connection.socket.resetAndDestroy();
  const cases: readonly (readonly [framing: string, body: string, end: typeof leave, line: object])[] = [
    [`Content-Length: ${body.length}`, body, leave, { outcome: 'ok', status: 201, scope: 'everything' }],
    ['Content-Length: 100', body, leave, { outcome: 'invalid_request', status: 400 }],
    ['Content-Length: 100', body, ({ socket }) => void socket.end(), { outcome: 'invalid_request', status: 400 }],
    ['Transfer-Encoding: chunked', 'x\r\n', () => {}, { outcome: 'invalid_request', status: 400 }],
  ];
  for (const [framing, sent, end, line] of cases) {
    logs.length = 0;
    const connection = await openRaw(t, running.broker.managementUrl);
    const bytes = mintBytes({ target, credential, framing: [framing], body: sent });
    connection.socket.write(bytes, 'latin1', () => end(connection));
    await until(() => logs.some(({ audit }) => audit === 'admin'));
    await connection.ended();
    t.match(
      logs.filter(({ audit }) => audit === 'admin'),
      [{ route: target, method: 'POST', ...line }],
      `${framing} ${sent}`,
    );
  }
  t.strictSame(jsonOf(await running.admin('GET', target)), { revocations: [{ scope: 'everything' }] });
});

test('a DELETE with an empty body counts as one without a body', async (t) => {
  const { broker, adminToken } = await setUp(t);
  for (const framing of [['Content-Length: 0'], []]) {
    const connection = await openRaw(t, broker.managementUrl);
    const target = '/admin/sessions/none';
    connection.send(mintBytes({ method: 'DELETE', target, credential: adminToken, body: '', framing }));
    isProblem(t, await connection.response(), 'not_found', 'no such session');
  }
});

test('what is revoked is refused at once and gets no new token, until it is restored', async (t) => {
  const running = await setUp(t);
  const other = await mintProxied(running.broker.url, running.appKey);
  const scopes = [
    { scope: 'token', token: idOf(running.token) },
    { scope: 'subject', client: 'kiosk', subject: 'kiosk' },
    { scope: 'client', client: 'kiosk' },
    { scope: 'everything' },
  ];
  for (const scope of scopes) {
    t.equal((await running.admin('POST', '/admin/revocations', scope)).status, 201);
    const refused = await speak(running);
    t.equal(refused.status, 403, scope.scope);
    t.match(problemOf(refused), { error_code: 'token_revoked' });
    t.equal((await speak(running, other)).status, scope.scope === 'token' ? 200 : 403, 'another token');
    const mint = await send(`${running.broker.url}/access-token`, { credential: running.appKey, json: {} });
    t.equal(mint.status, scope.scope === 'token' ? 200 : 403, 'a mint');
    const restored = await running.admin('POST', '/admin/revocations/restore', scope);
    t.equal(restored.status, 200);
    t.strictSame(jsonOf(restored), { revocations: [] });
    t.equal((await speak(running)).status, 200);
    t.equal((await running.admin('POST', '/admin/revocations/restore', scope)).status, 404);
  }
});

test('a body that arrives after its caller was revoked opens and mints nothing', async (t) => {
  const running = await setUp(t);
  const { broker, simulator, appKey } = running;
  const requests = [
    ['/access-token', appKey, '{}'],
    ['/tts/bytes', running.token, JSON.stringify(SPEECH)],
  ] as const;
  const upstreamCalls = simulator.journal.entries().length;
  const waiting = await Promise.all(
    requests.map(async ([target, credential, body]) => {
      const connection = await openRaw(t, broker.url);
      const framing = [`Content-Length: ${body.length}`];
      connection.send(mintBytes({ target, credential, fields: ['Expect: 100-continue'], framing, body: '' }));
      t.equal((await connection.response()).status, 100, 'it was let in');
      return { target, connection, body };
    }),
  );
  await running.admin('POST', '/admin/revocations', { scope: 'client', client: 'kiosk' });
  for (const { target, connection, body } of waiting) {
    connection.send(body);
    isProblem(t, await connection.response(), 'token_revoked', target);
  }
  t.equal(simulator.journal.entries().length, upstreamCalls);
});

test('an invalid revocation is refused with the name of the field', async (t) => {
  const running = await setUp(t);
  const bodies: readonly (readonly [unknown, RegExp])[] = [
    [[], /JSON object/],
    [{}, /"scope"/],
    [{ scope: 'constructor' }, /"scope"/],
    [{ scope: 'subject', client: 'kiosk' }, /"subject"/],
    [{ scope: 'client', client: '' }, /"client"/],
    [{ scope: 'client', client: 7 }, /"client"/],
    [{ scope: 'client', client: 'kisok' }, /"client" must be the name of a client app: kiosk\.$/],
    [{ scope: 'subject', client: 'kisok', subject: 'a' }, /: kiosk\.$/],
    [{ scope: 'everything', client: 'kiosk' }, /exactly the fields/],
    [{ scope: 'subject', client: 'kiosk', subject: 'jürgen' }, /"subject" .* printable ASCII/],
    [{ scope: 'subject', client: 'kiosk', subject: 'alice ' }, /"subject"/],
    [{ scope: 'subject', client: 'kiosk', subject: 'a'.repeat(256) }, /"subject"/],
    [{ scope: 'token', token: 'a-jti' }, /"token" must be the id .* `jti`/],
  ];
  for (const [body, message] of bodies) {
    const refused = await running.admin('POST', '/admin/revocations', body);
    t.equal(refused.status, 400);
    t.match(problemOf(refused).message, message);
  }
  for (const [body, type, status] of [
    ['{"scope":"client","scope":"everything"}', 'application/json', 400],
    ['{"scope":"everything"}', 'text/plain', 415],
  ] as const) {
    const options = { credential: running.adminToken, body, headers: { 'content-type': type } };
    t.equal((await send(`${running.broker.managementUrl}/admin/revocations`, options)).status, status, body);
  }
  t.strictSame(jsonOf(await running.admin('GET', '/admin/revocations')), { revocations: [] });
});

test('a whole token in place of its id is refused: it would revoke nothing, and appear in the audit', async (t) => {
  const running = await setUp(t);
  running.watch.add({ name: 'a token that was to be revoked', value: running.token });
  for (const path of ['/admin/revocations', '/admin/revocations/restore']) {
    const refused = await running.admin('POST', path, { scope: 'token', token: running.token });
    t.equal(refused.status, 400, path);
    t.match(problemOf(refused).message, 'not the token itself');
  }
  t.equal(
    (await running.admin('POST', '/admin/revocations', { scope: 'token', token: idOf(running.token).toUpperCase() }))
      .status,
    201,
  );
  t.match(problemOf(await speak(running)), { error_code: 'token_revoked' }, 'however its id is written');
});

test('open sessions are listed and can be ended: an answer breaks off, a socket is told why', async (t) => {
  const running = await setUp(t);
  running.simulator.configure({ latency: { perChunkMs: 60_000 } });
  const answer = await open(`${running.broker.url}/tts/bytes`, { credential: running.token, json: SPEECH });
  const socket = await connect(t, { ...running.simulator, url: running.broker.url }, '/tts/websocket', {
    credential: running.token,
  });
  socket.send(speech('a', 'One two three.'));
  const listed = jsonOf(await running.admin('GET', '/admin/sessions'))['sessions'] as Record<string, string>[];
  t.strictSame(
    listed.map(({ client, subject, endpoint, token }) => [client, subject, endpoint, token]),
    ['/tts/bytes', '/tts/websocket'].map((endpoint) => ['kiosk', 'kiosk', endpoint, idOf(running.token)]),
  );
  for (const [query, count] of [
    ['?client=kiosk', 2],
    ['?client=kiosk&subject=kiosk', 2],
    ['?subject=nobody', 0],
  ] as const)
    t.equal((jsonOf(await running.admin('GET', `/admin/sessions${query}`))['sessions'] as unknown[]).length, count);
  for (const query of ['?clients=kiosk', '?client=', '?client=a&client=b'])
    t.equal((await running.admin('GET', `/admin/sessions${query}`)).status, 400, query);
  const broken = new Promise((resolve) => answer.on('close', () => resolve(answer.complete)).on('error', () => {}));
  answer.resume();
  for (const { id } of listed)
    t.strictSame(jsonOf(await running.admin('DELETE', `/admin/sessions/${id}`)), { killed: id });
  t.equal(await broken, false);
  t.equal((await socket.closed).code, 1008);
  await until(
    async () => (jsonOf(await running.admin('GET', '/admin/sessions'))['sessions'] as unknown[]).length === 0,
  );
  const none = await running.admin('DELETE', '/admin/sessions/none');
  t.equal(none.status, 404);
  t.match(jsonOf(none), { error_code: 'not_found', message: 'No replica carries this session.' });
});

test('a subject revoked while it waits for a turn gets none', async (t) => {
  const running = await setUp(t, { TTS_CONCURRENCY: '1', STT_CONCURRENCY: '1' });
  const { broker, simulator, appKey } = running;
  simulator.configure({ latency: { perChunkMs: 60_000 } });
  const of = (subject: string) => ({ 'x-broker-subject': subject });
  const speaking = await open(`${broker.url}/tts/bytes`, { credential: appKey, headers: of('ann'), json: SPEECH });
  const listening = await openRawSocket(t, broker.url, STT_PATH, { Authorization: `Bearer ${appKey}`, ...of('ann') });
  simulator.journal.clear();

  const { body, headers } = recordingForm(Buffer.alloc(100_000));
  const waiting = [
    send(`${broker.url}/tts/bytes`, { credential: appKey, headers: of('bob'), json: SPEECH }),
    send(`${broker.url}/tts/sse`, { credential: appKey, headers: of('bob'), json: SPEECH }),
    send(`${broker.url}/stt`, { credential: appKey, headers: { ...headers, ...of('bob') }, body }),
  ];
  const socket = openRawSocket(t, broker.url, STT_PATH, { Authorization: `Bearer ${appKey}`, ...of('bob') });
  const refusal = socket.then(String, String);
  await until(async () => {
    const metrics = await metricsOf(broker.managementUrl);
    return ['tts', 'stt'].every((kind) => metrics.get(`broker_leases_waiting{kind="${kind}",client="kiosk"}`) === 2);
  });
  await running.admin('POST', '/admin/revocations', { scope: 'subject', client: 'kiosk', subject: 'bob' });
  speaking.destroy();
  listening.socket.destroy();
  for (const answer of await Promise.all(waiting)) {
    t.equal(answer.status, 403);
    t.match(problemOf(answer), { error_code: 'token_revoked' });
  }
  t.match(await refusal, /HTTP\/1\.1 403 [\s\S]*"token_revoked"/);
  t.strictSame(simulator.journal.entries(), [], 'Cartesia heard of none');
  await until(() => broker.leases === 0);
});

test('a caller revoked while its token is being minted gets none, and the audit has the token that nobody got', async (t) => {
  const adminToken = randomBytes(24).toString('hex');
  const { broker, simulator, appKey, logs } = await startRunningBroker(t, { env: { ADMIN_TOKEN: adminToken } });
  const everything = (path: string) =>
    send(`${broker.managementUrl}/admin/revocations${path}`, { credential: adminToken, json: { scope: 'everything' } });
  const slow = await openRaw(t, broker.url);
  const body = '{"expires_in":900}';
  slow.send(
    `POST /access-token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${appKey}\r\nContent-Type: application/json\r\n` +
      `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  t.equal((await slow.response()).status, 100, 'it was let in');
  await everything('');
  slow.send(body);
  t.match((await slow.response()).json, { error_code: 'token_revoked' });
  t.strictSame(simulator.journal.entries(), [], 'Cartesia was not asked');

  await everything('/restore');
  simulator.faults.add({ match: { path: '/access-token' }, action: { type: 'delay', ms: 300 } });
  const mint = send(`${broker.url}/access-token`, { credential: appKey, json: {} });
  await until(() => simulator.faults.list()[0]?.hits === 1);
  await everything('');
  t.match(problemOf(await mint), { error_code: 'token_revoked' });
  const audited = () => logs.filter(({ audit }) => audit === 'refusal' || audit === 'mint');
  await until(() => audited().length === 3);
  const [asked] = simulator.journal.entries({ path: '/access-token' });
  const lines = audited().filter((line) => line['upstream_request_id'] === asked?.requestId);
  t.match(
    lines.find(({ audit }) => audit === 'mint'),
    { outcome: 'undelivered', request_id: lines[0]?.['request_id'], client: 'kiosk', grants: 'tts', expires_in: 300 },
  );
  t.match(
    lines.find(({ audit }) => audit === 'refusal'),
    { outcome: 'token_revoked', request_id: lines[1]?.['request_id'], status: 403 },
  );
});

test('a caller ended while Cartesia is asked for a socket gets none', async (t) => {
  const running = await setUp(t);
  const { broker, simulator, token } = running;
  const asking = { Authorization: `Bearer ${token}` };
  const sessions = async () => jsonOf(await running.admin('GET', '/admin/sessions'))['sessions'] as { id: string }[];
  const ends = {
    'by the session': async () => {
      for (const { id } of await sessions()) await running.admin('DELETE', `/admin/sessions/${id}`);
    },
    'by revocation': () => running.admin('POST', '/admin/revocations', { scope: 'token', token: idOf(token) }),
  };
  for (const [name, end] of Object.entries(ends)) {
    simulator.faults.add({ match: {}, times: 1, action: { type: 'hang' } });
    const refusal = openRawSocket(t, broker.url, STT_PATH, asking).then(String, String);
    await until(async () => (await sessions()).length === 1);
    await end();
    t.match(await refusal, /HTTP\/1\.1 403 [\s\S]*"token_revoked"/, name);
    t.strictSame(await sessions(), []);
  }
});

test('one replica revokes, and the sockets of another are closed', async (t) => {
  const redis = await redisServer(t);
  const env = { REDIS_URL: redis.url.reveal() };
  const [here, there] = [await setUp(t, env), await setUp(t, env)];
  const socket = await connect(t, { ...there.simulator, url: there.broker.url }, '/tts/websocket', {
    credential: there.token,
  });
  const startedMs = performance.now();
  await here.admin('POST', '/admin/revocations', { scope: 'token', token: idOf(there.token) });
  t.equal((await socket.closed).code, 1008);
  t.ok(performance.now() - startedMs < 500);
  t.match(problemOf(await speak(there)), { error_code: 'token_revoked' });
});

async function usageLines(running: Managed): Promise<readonly Record<string, unknown>[]> {
  const { usage } = jsonOf(await running.admin('GET', '/admin/usage')) as { usage: Record<string, unknown>[] };
  return usage;
}

test('usage is listed by day, client app and subject, with its cost', async (t) => {
  const running = await setUp(t);
  for (let i = 0; i < 3; i += 1) await speak(running);
  const characters = 3 * [...SPEECH.transcript].length;
  const [line, ...others] = await usageLines(running);
  t.strictSame(others, []);
  t.match(line, {
    day: new Date().toISOString().slice(0, 10),
    client: 'kiosk',
    subject: 'kiosk',
    requests: 3,
    characters,
    audio_seconds: 0,
    cost: (characters * 50) / 1_000_000,
  });
  t.ok(Number(line?.['spoken_seconds']) > 3, 'speech is billed by its characters, however long it lasts');
});

test('transcription is charged by its seconds', async (t) => {
  const running = await setUp(t);
  const { broker, simulator, token } = running;
  const wav = await spokenWav(simulator);
  const heard = await send(`${broker.url}/stt`, { credential: token, ...recordingForm(wav) });
  const { duration } = jsonOf(heard);
  const [line, ...others] = await usageLines(running);
  t.strictSame(others, []);
  t.match(line, { requests: 1, characters: 0, spoken_seconds: 0 });
  t.ok(Math.abs(Number(line?.['audio_seconds']) - Number(duration)) < 1e-6);
  t.ok(Math.abs(Number(line?.['cost']) - Number(duration) * 0.000_1) < 1e-6);
});

test('a socket is one request, however often it reports its usage', async (t) => {
  const running = await setUp(t);
  const socket = await connect(t, { ...running.simulator, url: running.broker.url }, '/tts/websocket', {
    credential: running.token,
  });
  for (const [at, text] of ['Once.', 'Twice.'].entries()) {
    socket.send(speech(`c${at}`, text));
    await until(async () => (await usageLines(running))[0]?.['characters'] === [5, 11][at]); // a socket reports every five seconds
  }
  t.match(await usageLines(running), [{ requests: 1, characters: 11 }]);
});

test('a socket that used nothing is still a request, and text that Cartesia refused is not charged', async (t) => {
  const running = await setUp(t);
  const { broker, simulator, token } = running;
  for (let sockets = 1; sockets <= 2; sockets += 1) {
    const socket = await connect(t, { ...simulator, url: broker.url }, '/tts/websocket', { credential: token });
    socket.send(speech('a', 'Some text to be refused.', { language: 'xx' }));
    t.match(await socket.next('error'), { status_code: 400, source: 'upstream' });
    socket.socket.close(1000);
    await until(async () => (await usageLines(running))[0]?.['requests'] === sockets);
  }
  t.match(await usageLines(running), [{ requests: 2, characters: 0, cost: 0 }]);
});

test('the admin command does the same', async (t) => {
  const running = await setUp(t);
  const env = {
    ADMIN_TOKEN: running.adminToken,
    MANAGEMENT_PORT: new URL(running.broker.managementUrl).port,
    CARTESIA_API_KEY_FILE: '/none', // not there: the command must work without it
  };
  const run = async (...argv: string[]) => {
    const io = capturedIo(env);
    return { code: await runAdmin(argv, io), stdout: io.written.stdout, stderr: io.written.stderr };
  };
  t.equal((await run('revoke', '--client', 'kiosk', '--subject', 'kiosk')).code, 0);
  t.equal((await speak(running)).status, 403);
  t.match(JSON.parse((await run('revocations')).stdout), {
    revocations: [{ scope: 'subject', client: 'kiosk', subject: 'kiosk' }],
  });
  t.equal((await run('restore', '--client', 'kiosk', '--subject', 'kiosk')).code, 0);
  t.equal((await speak(running)).status, 200);
  for (const what of ['sessions', 'leases', 'usage']) t.equal((await run(what)).code, 0, what);
  t.match(await run('kill', 'nothing'), { code: 1, stderr: /^404: / });
  for (const wrong of [
    [],
    ['revoke'],
    ['revoke', '--everything', '--client', 'a'],
    ['sessions', 'x'],
    ['sessions', '--everything'],
    ['leases', '--client', 'a'],
    ['kill'],
    ['revoke', '--subject', 'a'],
    ['--nonsense'],
  ])
    t.match(await run(...wrong), { code: 2, stderr: /^Usage: / }, wrong.join(' '));
  t.match(await run('--help'), { code: 0, stdout: /^Usage: / });
  const noToken = capturedIo({});
  t.equal(await runAdmin(['sessions'], noToken), 2);
  t.match(noToken.written.stderr, /^ADMIN_TOKEN is needed/);
});
