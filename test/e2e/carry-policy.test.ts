// What a client app may do on the carried endpoints, and what nobody may do.
import { randomBytes } from 'node:crypto';
import { type Test, test } from 'tap';
import { ROUTES } from '../../src/simulator/http/routes.ts';
import { ENDPOINTS } from '../../src/upstream/endpoints.ts';
import {
  type Answer,
  mintProxied,
  recordingForm,
  SPEECH,
  send,
  startCarrying,
  untilQuiet,
  usageOf,
  VOICE,
} from './carried-broker.ts';
import { startRunningBroker } from './running-broker.ts';

function isRefused(t: Test, answer: Answer, status: number, code: string, name: string, message = /./): void {
  t.equal(answer.status, status, name);
  t.match(JSON.parse(answer.body.toString()), { error_code: code, source: 'broker', message }, name);
}

test('content: each client app is held to its models, voices, languages, formats and length', async (t) => {
  const running = await startCarrying(t, {
    client: {
      content: {
        models: ['sonic-3', 'ink-whisper'],
        voices: [VOICE],
        languages: ['en'],
        formats: ['wav', 'raw/pcm_s16le'],
        max_transcript: 44,
      },
    },
  });
  const { broker, simulator, token } = running;
  const refused: readonly [string, object][] = [
    ['another model', { model_id: 'sonic-2' }],
    ['no model', { model_id: undefined }],
    ['a model that is not text', { model_id: ['sonic-3'] }],
    ['another voice', { voice: { id: 'a0e99841-438c-4a64-b679-ae501e7d6091' } }],
    ['another voice, bare', { voice: 'a0e99841-438c-4a64-b679-ae501e7d6091' }],
    ['an embedding', { voice: { mode: 'embedding', embedding: [0.1], id: VOICE } }],
    ['no voice', { voice: undefined }],
    ['another language', { language: 'de' }],
    ['another locale', { locale: 'de-DE' }],
    ['another container', { output_format: { container: 'mp3', sample_rate: 44_100, bit_rate: 128_000 } }],
    ['another encoding', { output_format: { container: 'raw', encoding: 'pcm_f32le', sample_rate: 24_000 } }],
    ['no format', { output_format: undefined }],
    ['one character too many', { transcript: `${SPEECH.transcript}!` }],
  ];
  for (const [name, change] of refused) {
    for (const path of ['/tts/bytes', '/tts/sse']) {
      const answer = await send(`${broker.url}${path}`, { credential: token, json: { ...SPEECH, ...change } });
      isRefused(t, answer, 403, 'content_not_allowed', `${path}: ${name}`);
      t.equal(answer.headers['x-should-retry'], 'false');
    }
  }
  for (const [name, change] of [
    ['a list as transcript', { transcript: ['a'.repeat(99)] }],
    ['a list as language', { language: ['de'] }],
    ['an object as locale', { locale: { de: true } }],
    ['two languages', { language: 'en', locale: 'de-DE' }],
  ] as const) {
    for (const path of ['/tts/bytes', '/tts/sse']) {
      const answer = await send(`${broker.url}${path}`, { credential: token, json: { ...SPEECH, ...change } });
      isRefused(t, answer, 400, 'invalid_request', `${path}: ${name}`);
    }
  }
  const recording = Buffer.alloc(200_000);
  for (const [name, fields] of [
    ['another model', { model: 'ink-2' }],
    ['no model', { language: 'en' }],
    ['another language', { model: 'ink-whisper', language: 'de' }],
  ] as const) {
    for (const path of ['/stt', '/audio/transcriptions']) {
      const answer = await send(`${broker.url}${path}`, {
        credential: token,
        ...recordingForm(recording, { ...fields }),
      });
      isRefused(t, answer, 403, 'content_not_allowed', `${path}: ${name}`);
    }
  }
  for (const query of ['model=ink-2', 'Model=ink-2', 'language=de', 'language%5B%5D=de', 'model=ink-whisper']) {
    for (const path of ['/stt', '/audio/transcriptions']) {
      const form = recordingForm(recording, { model: 'ink-whisper' });
      const answer = await send(`${broker.url}${path}?${query}`, { credential: token, ...form });
      isRefused(t, answer, 400, 'invalid_request', `${path}: ${query} beside the form`);
    }
  }
  await untilQuiet(running, 99);
  t.ok(
    simulator.journal.entries().every(({ path, outcome }) => !path.startsWith('/tts') && outcome !== 'completed'),
    'nothing was generated, and no form was complete',
  );
  t.equal(simulator.counters().creditsSpent, 0);
  t.strictSame(await usageOf(running, '/tts/bytes'), {});

  for (const wish of [
    SPEECH,
    { ...SPEECH, voice: VOICE },
    { ...SPEECH, language: 'en' },
    { ...SPEECH, locale: 'en-GB' },
    { ...SPEECH, output_format: { container: 'wav', encoding: 'pcm_f32le', sample_rate: 24_000 } },
  ]) {
    const answer = await send(`${broker.url}/tts/bytes`, {
      credential: token,
      json: wish,
      headers: { 'cartesia-version': '2026-08-14' },
    });
    t.equal(answer.status, 200, JSON.stringify(wish));
  }
  const wav = await send(`${broker.url}/tts/bytes`, {
    credential: token,
    json: { ...SPEECH, output_format: { ...SPEECH.output_format, container: 'wav' } },
  });
  const heard = await send(`${broker.url}/stt`, {
    credential: token,
    ...recordingForm(wav.body, { model: 'ink-whisper', language: 'en' }),
  });
  t.equal(heard.status, 200);
  t.match(JSON.parse(heard.body.toString()), { text: /quick brown fox/ });
});

test('grants: an endpoint needs its grant, in the policy and in the token', async (t) => {
  const cases = [
    [['tts'], { '/tts/bytes': 200, '/tts/sse': 200, '/stt': 403, '/audio/transcriptions': 403 }],
    [['stt'], { '/tts/bytes': 403, '/tts/sse': 403, '/stt': 400, '/audio/transcriptions': 400 }],
    [['agent'], { '/tts/bytes': 403, '/tts/sse': 403, '/stt': 403, '/audio/transcriptions': 403 }],
  ] as const;
  for (const [grants, expected] of cases) {
    const running = await startCarrying(t, { client: { grants, reads: false } });
    for (const credential of [running.token, running.appKey]) {
      running.simulator.journal.clear();
      for (const [path, status] of Object.entries(expected)) {
        // A form without a recording is enough to get Cartesia's own refusal.
        const what = path.startsWith('/tts') ? { json: SPEECH } : recordingForm(Buffer.alloc(0), {});
        const answer = await send(`${running.broker.url}${path}`, { credential, ...what });
        t.equal(answer.status, status, `${grants}: ${path}`);
        const missing = path.startsWith('/tts') ? /grant "tts"/ : /grant "stt"/;
        if (status === 403) isRefused(t, answer, 403, 'endpoint_not_allowed', path, missing);
      }
      const asked = running.simulator.journal.entries().map(({ path }) => path);
      t.strictSame(
        asked,
        Object.entries(expected).flatMap(([path, status]) => (status === 403 ? [] : [path])),
      );
    }
  }
});

test('a token with one of two grants opens only the endpoints of that grant', async (t) => {
  const running = await startCarrying(t);
  const minted = await send(`${running.broker.url}/access-token`, {
    credential: running.appKey,
    json: { grants: { stt: true } },
  });
  const { token } = JSON.parse(minted.body.toString()) as { token: string };
  isRefused(
    t,
    await send(`${running.broker.url}/tts/bytes`, { credential: token, json: SPEECH }),
    403,
    'endpoint_not_allowed',
    'speech',
  );
  t.equal((await send(`${running.broker.url}/voices`, { credential: token })).status, 200, 'reads need no grant');
});

test('reads are for client apps that may read', async (t) => {
  for (const reads of [true, false]) {
    const running = await startCarrying(t, { client: { reads } });
    for (const path of ['/voices', `/voices/${VOICE}`, '/accents']) {
      const answer = await send(`${running.broker.url}${path}`, { credential: running.token });
      if (reads) t.equal(answer.status, 200, path);
      else isRefused(t, answer, 403, 'endpoint_not_allowed', path, /may not read the catalogue/);
    }
    t.equal(running.simulator.journal.entries().length, reads ? 3 : 0);
  }
});

test('without a credential, with a bad one, or with a token of another broker: 401, and Cartesia is not asked', async (t) => {
  const running = await startCarrying(t);
  const other = await startCarrying(t);
  running.simulator.journal.clear();
  const stranger = await mintProxied(other.broker.url, other.appKey);
  const bodies = new Set<string>();
  for (const { method, path } of ENDPOINTS) {
    for (const credential of [undefined, 'nobody', stranger, running.simulator.apiKey.replace(/.{5}$/, 'xxxxx')]) {
      const answer = await send(`${running.broker.url}${path.replace(':id', VOICE)}`, {
        method,
        ...(credential === undefined ? {} : { credential }),
        ...(method === 'POST' ? { json: SPEECH } : {}),
      });
      isRefused(t, answer, 401, 'unauthenticated', `${method} ${path}`);
      t.equal(answer.headers['www-authenticate'], 'Bearer');
      bodies.add(answer.body.toString().replace(/"request_id":"[^"]+"/, ''));
    }
  }
  t.equal(bodies.size, 1, 'one body for all causes');
  t.strictSame(running.simulator.journal.entries(), []);
});

test('an expired token gets a 401 that says so', async (t) => {
  let now = Date.now();
  const running = await startCarrying(t, { seams: { now: () => now } });
  now += 3_600_000;
  isRefused(
    t,
    await send(`${running.broker.url}/tts/bytes`, { credential: running.token, json: SPEECH }),
    401,
    'token_expired',
    'expired',
  );
  t.strictSame(running.simulator.journal.entries(), []);
});

/** Cartesia's published endpoints that cost money or manage the account by key alone. */
const MANAGEMENT: readonly string[] = [
  'POST /infill/bytes',
  'POST /voice-changer/bytes',
  'POST /voice-changer/sse',
  'POST /voices',
  'POST /voices/clone',
  'POST /voices/create',
  'POST /voices/mix',
  'POST /voices/localize',
  'PATCH /voices/id',
  'DELETE /voices/id',
  'PATCH /voices/id/accents',
  'DELETE /voices/id/accents/id',
  ...rest('/pronunciation-dicts/', ['GET', 'POST']),
  ...rest('/pronunciation-dicts/id', ['GET', 'PATCH', 'DELETE']),
  ...rest('/datasets/', ['GET', 'POST']),
  ...rest('/datasets/id', ['GET', 'PATCH', 'DELETE']),
  ...rest('/datasets/id/files', ['GET', 'POST']),
  'DELETE /datasets/id/files/id',
  ...rest('/files', ['GET', 'POST']),
  'GET /files/id/info',
  'GET /files/id/download',
  'DELETE /files/id',
  ...rest('/fine-tunes/', ['GET', 'POST']),
  ...rest('/fine-tunes/id', ['GET', 'DELETE']),
  'GET /fine-tunes/id/voices',
  'GET /agents',
  'GET /agents/templates',
  ...rest('/agents/id', ['GET', 'PATCH', 'DELETE']),
  'GET /agents/id/phone-numbers',
  'GET /agents/id/deployments',
  'GET /agents/deployments/id',
  ...rest('/agents/id/metrics/id', ['POST', 'DELETE']),
  'POST /agents/access-token',
  ...rest('/agents/calls', ['GET', 'POST']),
  ...rest('/agents/calls/id', ['GET', 'DELETE']),
  'POST /agents/calls/id/cancel',
  'GET /agents/calls/id/audio',
  ...rest('/agents/calls/batches', ['GET', 'POST']),
  'GET /agents/calls/batches/id',
  'POST /agents/calls/batches/id/cancel',
  'POST /agents/calls/batches/id/retry',
  ...rest('/agents/phone-numbers', ['GET', 'POST']),
  ...rest('/agents/phone-numbers/id', ['GET', 'PATCH', 'DELETE']),
  'POST /agents/phone-numbers/id/provision',
  ...rest('/agents/phone-numbers/providers', ['GET', 'POST']),
  ...rest('/agents/phone-numbers/providers/id', ['GET', 'PATCH', 'DELETE']),
  ...rest('/agents/metrics', ['GET', 'POST']),
  ...rest('/agents/metrics/id', ['GET', 'DELETE']),
  'GET /agents/metrics/id/results',
  'GET /agents/metrics/id/results/export',
  ...rest('/v1/agents', ['GET', 'POST']),
  ...rest('/v1/agents/id', ['GET', 'PATCH', 'DELETE']),
  'GET /v1/agents/id/versions',
  'GET /v1/agents/id/versions/id',
  'GET /v1/agents/models',
  ...rest('/v1/agents/tools', ['GET', 'POST']),
  ...rest('/v1/agents/tools/id', ['GET', 'PATCH', 'DELETE']),
  'POST /v1/agents/websocket/id/sessions',
  'GET /usage/credits',
  'GET /usage/agents',
  'GET /api-keys',
  'GET /api-keys/id',
  'GET /organizations/users',
  ...rest('/organizations/users/id', ['GET', 'DELETE']),
  ...rest('/organizations/invites', ['GET', 'POST']),
  ...rest('/organizations/invites/id', ['GET', 'DELETE']),
];

function rest(path: string, methods: readonly string[]): string[] {
  return methods.map((method) => `${method} ${path}`);
}

test('nobody reaches the endpoints that manage the account: 404, and nothing arrives at Cartesia', async (t) => {
  const running = await startCarrying(t, { client: { grants: ['tts', 'stt', 'agent'] } });
  const carried = new Set(ENDPOINTS.map(({ method, path }) => `${method} ${path.replace(':id', '{id}')}`));
  // Also every other route of the simulator, whose table follows the one that Cartesia publishes.
  const known = ROUTES.map(({ method, path }) => `${method} ${path}`)
    .filter((row) => !carried.has(row) && row !== 'GET /' && row !== 'POST /access-token')
    .map((row) => row.replace(/\{\w+\}/g, 'id'));
  t.ok(known.length > 40, `${known.length} rows of the simulator`);
  for (const row of new Set([...MANAGEMENT, ...known])) {
    const [method = '', path = ''] = row.split(' ');
    for (const credential of [running.token, running.appKey]) {
      const answer = await send(`${running.broker.url}${path}`, {
        method,
        credential,
        ...(method === 'GET' || method === 'DELETE' ? {} : { json: {} }),
      });
      isRefused(t, answer, 404, 'not_found', row);
    }
  }
  t.strictSame(running.simulator.journal.entries(), []);
  t.equal(running.simulator.counters().openConnections, 0);
});

test('an endpoint accepts its own method and no other', async (t) => {
  const running = await startCarrying(t);
  for (const { method, path } of ENDPOINTS) {
    for (const other of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((one) => one !== method)) {
      const answer = await send(`${running.broker.url}${path.replace(':id', VOICE)}`, {
        method: other,
        credential: running.token,
        ...(other === 'GET' ? {} : { json: {} }),
      });
      // `POST /voices` and the like do not exist here either.
      isRefused(t, answer, 404, 'not_found', `${other} ${path}`);
    }
  }
  t.strictSame(running.simulator.journal.entries(), []);
});

test('an id with other characters than those of ids is refused', async (t) => {
  const running = await startCarrying(t);
  for (const id of ['a.b', 'a:b', 'a@b', '~', '!', "'", '(x)', '*', 'a,b', 'a=b', 'a+b', '$', 'x'.repeat(65), '-._']) {
    const answer = await send(`${running.broker.url}/voices/${id}`, { credential: running.token });
    t.ok(answer.status === 404 || answer.status === 400, `${id}: ${answer.status}`);
    t.match(JSON.parse(answer.body.toString()), { source: 'broker' });
  }
  t.strictSame(running.simulator.journal.entries(), []);
  t.equal(
    (await send(`${running.broker.url}/voices/file_A-1`, { credential: running.token })).status,
    404,
    'an id unknown to Cartesia',
  );
  t.equal(running.simulator.journal.entries()[0]?.url, '/voices/file_A-1');
});

test('an anonymous client mints first: without a token nothing is carried for it, with one it is', async (t) => {
  const { broker, simulator } = await startRunningBroker(t, {
    env: () => ({ TOKEN_SIGNING_SECRET: randomBytes(32).toString('base64url') }),
    file: () => ({ clients: { guests: { auth: { anonymous: true }, delivery: 'proxied' } } }),
  });
  const refused = await send(`${broker.url}/tts/bytes`, { json: SPEECH });
  isRefused(t, refused, 401, 'unauthenticated', 'no credential');
  const upgrade = await send(`${broker.url}/tts/websocket?cartesia_version=2026-03-01`, {
    headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': KEY },
  });
  isRefused(t, upgrade, 401, 'unauthenticated', 'a socket');
  t.equal(simulator.journal.entries().length, 0);
  const minted = await send(`${broker.url}/access-token`, { json: { grants: { tts: true } } });
  const { token } = JSON.parse(minted.body.toString()) as { token: string };
  t.equal((await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH })).status, 200);
});

const KEY = Buffer.alloc(16).toString('base64');
