// The broker's responses on Cartesia's own paths, compared with the OpenAPI document.
import { test } from 'tap';
import { recordingForm, SPEECH, send, spokenWav, startCarrying, VOICE } from '../e2e/carried-broker.ts';
import { until } from '../e2e/limits-answers.ts';
import { startRunningBroker } from '../e2e/running-broker.ts';
import { redisServer } from '../store/redis-server.ts';
import { ask, type Call, endpointOf, endpoints } from './described-answer.ts';
import type { ResolvedEndpoint } from './resolved-document.ts';

const carried = endpoints.filter(({ operation }) => operation.tags.includes('carried'));
const speaking = carried.filter(({ path }) => path.startsWith('/tts/'));
const working = carried.filter(({ method }) => method === 'POST');

const JSON_BODY = { 'content-type': 'application/json' };

/** A valid request for each endpoint, without a credential. */
function callOf({ path, method }: ResolvedEndpoint, wav: Buffer): Call {
  if (method === 'GET') return { path: path.replace('{id}', VOICE) };
  if (path.startsWith('/tts/')) return { headers: JSON_BODY, body: JSON.stringify(SPEECH) };
  return recordingForm(wav);
}

const by = (credential: string, call: Call, headers: Readonly<Record<string, string>> = {}): Call => ({
  ...call,
  headers: { ...call.headers, authorization: `Bearer ${credential}`, ...headers },
});

test('carried requests answer as documented', async (t) => {
  const { broker, token, simulator } = await startCarrying(t);
  const wav = await spokenWav(simulator);
  t.equal(carried.length, 7);
  for (const endpoint of carried) {
    t.equal((await ask(t, broker.url, endpoint, by(token, callOf(endpoint, wav)))).statusCode, 200);
  }
});

test('refused requests answer as documented on every endpoint', async (t) => {
  const { broker, token, appKey, simulator } = await startCarrying(t, { client: { grants: ['tts'], reads: false } });
  const all = await startCarrying(t, { client: { content: { models: ['sonic-none'] } } });
  const wav = await spokenWav(simulator);
  for (const endpoint of carried) {
    const call = callOf(endpoint, wav);
    const said = async (credential: string, headers: Readonly<Record<string, string>>) =>
      (await ask(t, broker.url, endpoint, by(credential, call, headers))).code;
    t.equal((await ask(t, broker.url, endpoint, call)).code, 'unauthenticated');
    t.equal(await said(token, { 'x-api-key': appKey }), 'invalid_request', 'two credentials');
    t.equal(await said(appKey, { 'x-broker-subject': 'user-42' }), 'subject_not_allowed');
    t.equal(await said(token, { origin: 'https://elsewhere.example' }), 'origin_not_allowed');
    t.equal(await said(token, { 'x-long': 'x'.repeat(20_000) }), 'headers_too_large');
    if (!speaking.includes(endpoint)) t.equal(await said(token, {}), 'endpoint_not_allowed');
    const late = await ask(t, all.broker.url, endpoint, by(all.token, call, { 'cartesia-version': 'latest' }));
    t.equal(late.code, 'invalid_version');
  }
  for (const endpoint of working) {
    const call = by(all.token, callOf(endpoint, wav));
    t.equal((await ask(t, all.broker.url, endpoint, call)).code, 'content_not_allowed');
    const text = { ...call, headers: { ...call.headers, 'content-type': 'text/plain' } };
    t.equal((await ask(t, all.broker.url, endpoint, text)).code, 'unsupported_media_type');
  }
  for (const endpoint of speaking) {
    const call = by(token, { headers: JSON_BODY, body: JSON.stringify({ transcript: 'x'.repeat(300_000) }) });
    t.equal((await ask(t, broker.url, endpoint, call)).code, 'payload_too_large');
  }
});

test('exhausted limits answer as documented on every POST endpoint', async (t) => {
  const full = await startCarrying(t, {
    env: { TTS_CONCURRENCY: '1', STT_CONCURRENCY: '1' },
    file: { limits: { queue: { wait: 0 } } },
  });
  const poor = await startCarrying(t, {
    client: { limits: { mint: 'off', quota: { characters: { client: '1/day' }, audio_seconds: { client: '1/day' } } } },
  });
  const wav = await spokenWav(full.simulator);
  full.simulator.configure({ latency: { firstByteMs: 200 } });
  for (const endpoint of working) {
    const call = callOf(endpoint, wav);
    const two = await Promise.all([1, 2].map(() => ask(t, full.broker.url, endpoint, by(full.token, call))));
    t.strictSame(two.map(({ code }) => code).toSorted(), ['concurrency_limited', null]);
    const again = () => ask(t, poor.broker.url, endpoint, by(poor.token, call));
    await again(); // a recording is measured while it is carried, so the budget is spent only after the first one
    t.equal((await again()).code, 'quota_exceeded');
  }
});

test('revoked callers, and callers while Redis is away, get the documented answer on every endpoint', async (t) => {
  const redis = await redisServer(t);
  const adminToken = 'an-admin-token-for-this-test-only-of-32-bytes';
  const { broker, token, simulator } = await startCarrying(t, {
    env: { ADMIN_TOKEN: adminToken, REDIS_URL: redis.url.reveal() },
  });
  const wav = await spokenWav(simulator);
  const revoke = (verb: string) =>
    send(`${broker.managementUrl}/admin/revocations${verb}`, { credential: adminToken, json: { scope: 'everything' } });
  t.equal((await revoke('')).status, 201);
  for (const endpoint of carried) {
    t.equal((await ask(t, broker.url, endpoint, by(token, callOf(endpoint, wav)))).code, 'token_revoked');
  }
  t.equal((await revoke('/restore')).status, 200);
  await redis.kill();
  for (const endpoint of carried) {
    const call = by(token, callOf(endpoint, wav));
    await until(async () => (await ask(t, broker.url, endpoint, call)).code === 'store_unavailable');
  }
});

test('upstream failures answer as documented on every endpoint', async (t) => {
  const { broker, token, simulator } = await startCarrying(t);
  const keyless = await startCarrying(t, { env: { CARTESIA_API_KEY: 'sk_car_not_the_one' } });
  const wav = await spokenWav(simulator);
  const code = 'concurrency_limited';
  simulator.faults.add({ match: {}, action: { type: 'answer', status: 429, code, retryAfter: 60 } });
  for (const endpoint of carried) {
    const call = callOf(endpoint, wav);
    t.equal((await ask(t, broker.url, endpoint, by(token, call))).code, code);
    t.equal((await ask(t, keyless.broker.url, endpoint, by(keyless.token, call))).code, 'upstream_rejected');
  }
  await simulator.close();
  for (const endpoint of carried) {
    t.equal((await ask(t, broker.url, endpoint, by(token, callOf(endpoint, wav)))).code, 'upstream_unavailable');
  }
});

test('audio that Cartesia keeps in a file answers as documented', async (t) => {
  const { broker, token, simulator } = await startCarrying(t);
  const headers = { 'cartesia-file-id': 'file_1', 'content-disposition': 'attachment; filename="a.wav"' };
  const action = { type: 'answer', status: 200, headers, contentType: 'audio/wav', body: 'RIFF' } as const;
  simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action });
  const call = { headers: JSON_BODY, body: JSON.stringify(SPEECH) };
  t.equal((await ask(t, broker.url, endpointOf('post_tts_bytes'), by(token, call))).answer, 'RIFF');
});

test("Cartesia's own failures answer as documented, whatever their status", async (t) => {
  const { broker, token, simulator } = await startCarrying(t);
  const wav = await spokenWav(simulator);
  const statuses = [400, 402, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503, 504, 599];
  for (const endpoint of carried) {
    for (const status of statuses) {
      simulator.faults.add({ match: {}, times: 1, action: { type: 'answer', status, retryAfter: 60 } });
      const { statusCode, answer } = await ask(t, broker.url, endpoint, by(token, callOf(endpoint, wav)));
      t.equal(statusCode, status);
      t.match(answer, { source: 'upstream' });
    }
  }
});

test('a broker that carries nothing answers as documented', async (t) => {
  const { broker, appKey } = await startRunningBroker(t);
  for (const endpoint of carried) {
    t.equal((await ask(t, broker.url, endpoint, by(appKey, callOf(endpoint, Buffer.of())))).statusCode, 404);
  }
});

test('a replica short of memory answers as documented on every endpoint', async (t) => {
  const { broker, token, simulator } = await startCarrying(t);
  const wav = await spokenWav(simulator);
  broker.readiness.setStrain('memory');
  for (const endpoint of carried) {
    t.equal((await ask(t, broker.url, endpoint, by(token, callOf(endpoint, wav)))).code, 'overloaded');
  }
});
