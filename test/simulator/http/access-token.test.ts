import { test } from 'tap';
import { call, generation, simulatorFor } from '../call.ts';

const NOW = Date.parse('2026-11-22T10:00:00Z');

function claimsOf(token: string): { header: Record<string, unknown>; payload: Record<string, unknown> } {
  const [header = '', payload = ''] = token.split('.');
  return { header: decoded(header), payload: decoded(payload) };
}

function decoded(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
}

/** A body, unless the method is GET. */
function bodyFor(target: string): { json?: unknown } {
  return target.startsWith('GET ') ? {} : { json: generation() };
}

test('a token has the published claims and the requested lifetime', async (t) => {
  const simulator = await simulatorFor(t, { now: () => NOW });
  const answer = await call(simulator, 'POST /access-token', {
    json: { grants: { tts: true, stt: true, agent: false }, expires_in: 60 },
  });
  t.equal(answer.status, 200);
  t.strictSame(Object.keys(answer.json as object), ['token']);
  const { header, payload } = claimsOf((answer.json as { token: string }).token);
  t.match(header, { alg: 'HS256', kid: /^ssid_/ });
  t.match(payload['jti'], /^[0-9a-f-]{36}$/);
  t.strictSame(
    { ...payload, jti: 'any' },
    {
      grants: { tts: true, stt: true },
      jti: 'any',
      iat: NOW / 1000,
      iss: 'https://api.cartesia.ai',
      exp: NOW / 1000 + 60,
    },
  );
});

test('undocumented behaviour is a setting: lifetime and grants if the request has none', async (t) => {
  const simulator = await simulatorFor(t, {
    now: () => NOW,
    settings: { tokens: { defaultSeconds: 120, grantsWhenOmitted: { tts: true } } },
  });
  for (const json of [{}, { grants: null, expires_in: null }]) {
    const answer = await call(simulator, 'POST /access-token', { json });
    const { payload } = claimsOf((answer.json as { token: string }).token);
    t.strictSame(payload['grants'], { tts: true });
    t.equal(payload['exp'], NOW / 1000 + 120);
  }
});

test('an invalid request is refused and mints nothing', async (t) => {
  const simulator = await simulatorFor(t);
  const cases: readonly unknown[] = [
    { expires_in: 3601, grants: { tts: true } },
    { expires_in: 0, grants: { tts: true } },
    { expires_in: -5, grants: { tts: true } },
    { expires_in: 1.5, grants: { tts: true } },
    { expires_in: '60', grants: { tts: true } },
    { expires_in: 60, grants: ['tts'] },
    { expires_in: 60, grants: { tts: 'yes' } },
    [],
    'text',
  ];
  for (const json of cases) {
    const { status, json: body } = await call(simulator, 'POST /access-token', { json });
    t.equal(status, 400, JSON.stringify(json));
    t.match(body, { error_code: null, title: 'Invalid request', message: String, request_id: /^[0-9a-f-]{36}$/ });
  }
  const longest = await call(simulator, 'POST /access-token', { json: { expires_in: 3600, grants: { tts: true } } });
  t.equal(longest.status, 200);
});

test('a body that is not JSON, or too long, is refused', async (t) => {
  const simulator = await simulatorFor(t, { settings: { sizes: { jsonBytes: 100 } } });
  t.equal((await call(simulator, 'POST /access-token', { body: '{"grants":' })).status, 400);
  t.equal((await call(simulator, 'POST /access-token', { body: new Uint8Array([0x22, 0xff, 0x22]) })).status, 400);
  const long = await call(simulator, 'POST /access-token', { json: { padding: 'x'.repeat(100) } });
  t.equal(long.status, 413);
  t.match(long.json, { title: 'Invalid request', message: 'The body is too large.' });
});

test('only an API key can mint', async (t) => {
  const simulator = await simulatorFor(t);
  const json = { grants: { tts: true }, expires_in: 60 };
  const cases: readonly [credential: string | null, status: number][] = [
    [null, 401],
    ['sk_car_wrong', 401],
    [simulator.mintToken(), 403],
    ['sk_car_admin_simulated', 403],
    [simulator.apiKey, 200],
  ];
  for (const [credential, status] of cases) {
    const answer = await call(simulator, 'POST /access-token', { credential, json });
    t.equal(answer.status, status, String(credential).slice(0, 20));
  }
});

test('a grant gives access to its family of endpoints and no other', async (t) => {
  const simulator = await simulatorFor(t);
  const [tts, stt, agent] = (['tts', 'stt', 'agent'] as const).map((grant) =>
    simulator.mintToken({ grants: { [grant]: true } }),
  );
  const statusOf = async (target: string, credential: string | undefined) =>
    (await call(simulator, target, { credential: credential ?? null, ...bodyFor(target) })).status;
  for (const target of ['POST /tts/bytes', 'POST /tts/sse']) {
    t.equal(await statusOf(target, tts), 200);
    t.equal(await statusOf(target, stt), 403);
    t.equal(await statusOf(target, agent), 403);
  }
  for (const target of ['POST /stt', 'POST /audio/transcriptions']) {
    t.equal(await statusOf(target, stt), 400, 'past the credential check, where the form is missing');
    t.equal(await statusOf(target, tts), 403);
  }
  for (const target of [
    'GET /voices',
    'GET /accents',
    'GET /agents',
    'POST /voices/clone',
    'POST /voice-changer/bytes',
  ]) {
    t.equal(await statusOf(target, simulator.mintToken()), 403, `${target} is for keys`);
  }
});

test('a token expires by the simulated clock', async (t) => {
  const simulator = await simulatorFor(t);
  const token = simulator.mintToken({ seconds: 60 });
  const speak = () => call(simulator, 'POST /tts/bytes', { credential: token, json: generation() });
  t.equal((await speak()).status, 200);
  simulator.clock.advance(61_000);
  const late = await speak();
  t.equal(late.status, 401);
  t.match(late.json, { title: 'Unauthorized', message: 'Invalid credentials.' });
});

test('a tampered token, or one of another simulator, is not accepted', async (t) => {
  const simulator = await simulatorFor(t);
  const [header = '', payload = '', signature = ''] = simulator.mintToken({ grants: { stt: true } }).split('.');
  const forged = Buffer.from(payload, 'base64url').toString().replace('"stt"', '"tts"');
  const other = await simulatorFor(t);
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  for (const credential of [
    `${header}.${Buffer.from(forged).toString('base64url')}.${signature}`,
    `${header}.${payload}.${'A'.repeat(43)}`,
    `${header}.${payload}.`,
    `${none}.${payload}.`,
    `${header}.${payload}.${signature}.x`,
    other.mintToken(),
  ]) {
    t.equal((await call(simulator, 'POST /tts/bytes', { credential, json: generation() })).status, 401);
  }
});

test('minting takes as long as configured', async (t) => {
  const simulator = await simulatorFor(t, { settings: { latency: { mintMs: 30 } } });
  const began = performance.now();
  await call(simulator, 'POST /access-token', { json: { grants: { tts: true }, expires_in: 60 } });
  t.ok(performance.now() - began >= 29);
});
