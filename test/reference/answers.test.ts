// The broker's actual responses, compared with the OpenAPI document.
import Cartesia from '@cartesia/cartesia-js';
import { test } from 'tap';
import { send } from '../e2e/carried-broker.ts';
import { until } from '../e2e/limits-answers.ts';
import { type RunningBroker, startRunningBroker } from '../e2e/running-broker.ts';
import { redisServer } from '../store/redis-server.ts';
import { ask, type Call, endpointOf, endpoints } from './described-answer.ts';

const mint = endpointOf('mintAccessToken');

const open = endpoints.filter(({ operation }) => operation.security.length === 0);
// One broker each: the leak detector takes the document's example token for a real one, which the page would then seem to leak.
const groups = [
  ['documents', open.filter(({ operation }) => operation.operationId !== 'referencePage')],
  ['pages', [endpointOf('referencePage')]],
] as const;
for (const [name, group] of groups) {
  test(`endpoints without a credential answer as documented: ${name}`, async (t) => {
    const { broker } = await startRunningBroker(t);
    t.ok(group.length > 0);
    for (const endpoint of group) t.equal((await ask(t, broker.url, endpoint)).statusCode, 200);
  });
}

test('every request body in the document mints a token', async (t) => {
  const { broker, appKey } = await startRunningBroker(t, { env: { GRANTS: 'tts,stt', MINT_RATE: '100/minute' } });
  const examples = Object.values(mint.operation.requestBody?.content['application/json']?.examples ?? {});
  t.equal(examples.length, 3);
  for (const { summary, value } of examples) {
    const call = { headers: { ...JSON_BODY, authorization: `Bearer ${appKey}` }, body: JSON.stringify(value) };
    t.equal((await ask(t, broker.url, mint, call)).statusCode, 200, summary);
  }
  const byKeyHeader = { headers: { ...JSON_BODY, 'x-api-key': appKey, 'cartesia-version': '2026-03-01' }, body: '{}' };
  t.equal((await ask(t, broker.url, mint, byKeyHeader)).statusCode, 200);
});

test('both deliveries answer as documented', async (t) => {
  const { broker, appKey } = await startRunningBroker(t, {
    env: { DELIVERY: 'proxied', TOKEN_SIGNING_SECRET: 'a-secret-for-this-test-only-of-32-bytes-and-more' },
  });
  const { answer } = await ask(t, broker.url, mint, { headers: { ...JSON_BODY, 'x-api-key': appKey }, body: '{}' });
  t.match(answer, { delivery: 'proxied', base_url: broker.url });
});

const JSON_BODY = { 'content-type': 'application/json' };

test('refusals answer as documented', async (t) => {
  const { broker, appKey } = await startRunningBroker(t);
  const caller = { ...JSON_BODY, authorization: `Bearer ${appKey}` };
  const refusals: readonly [string, Call][] = [
    ['unauthenticated', { headers: JSON_BODY, body: '{}' }],
    ['invalid_request', { headers: caller, body: '{"expires_in": 0}' }],
    ['invalid_version', { headers: { ...caller, 'cartesia-version': 'latest' }, body: '{}' }],
    ['grant_not_allowed', { headers: caller, body: '{"grants": {"agent": true}}' }],
    ['subject_not_allowed', { headers: { ...caller, 'x-broker-subject': 'user-42' }, body: '{}' }],
    ['origin_not_allowed', { headers: { ...caller, origin: 'https://elsewhere.example' }, body: '{}' }],
    ['unsupported_media_type', { headers: { ...caller, 'content-type': 'text/plain' }, body: '{}' }],
    ['payload_too_large', { headers: caller, body: JSON.stringify({ grants: 'x'.repeat(20_000) }) }],
    ['headers_too_large', { headers: { ...caller, 'x-long': 'x'.repeat(20_000) }, body: '{}' }],
  ];
  for (const [code, call] of refusals) t.equal((await ask(t, broker.url, mint, call)).code, code);
});

test('refusals answer as documented while rates are on', async (t) => {
  const { broker, appKey } = await startRunningBroker(t, {
    env: { MINT_RATE: '100/minute', MINT_RATE_PER_IP: '100/minute' },
  });
  const caller = { ...JSON_BODY, 'x-api-key': appKey };
  const refusals: readonly [string, Call][] = [
    ['unauthenticated', { headers: JSON_BODY, body: '{}' }],
    ['invalid_request', { headers: caller, body: '{"expires_in": 0}' }],
    ['grant_not_allowed', { headers: caller, body: '{"grants": {"agent": true}}' }],
    ['unsupported_media_type', { headers: { ...caller, 'content-type': 'text/plain' }, body: '{}' }],
    ['payload_too_large', { headers: caller, body: JSON.stringify({ grants: 'x'.repeat(20_000) }) }],
  ];
  for (const [code, call] of refusals) t.equal((await ask(t, broker.url, mint, call)).code, code);
});

test('limits and upstream failures answer as documented', async (t) => {
  const limited = await startRunningBroker(t, { env: { MINT_RATE: '1/minute' } });
  const callOf = ({ appKey }: RunningBroker): Call => ({ headers: { ...JSON_BODY, 'x-api-key': appKey }, body: '{}' });
  t.equal((await ask(t, limited.broker.url, mint, callOf(limited))).code, null);
  t.equal((await ask(t, limited.broker.url, mint, callOf(limited))).code, 'rate_limited');

  const alone = await startRunningBroker(t);
  await alone.simulator.close();
  t.equal((await ask(t, alone.broker.url, mint, callOf(alone))).code, 'upstream_unavailable');
  const rejected = await startRunningBroker(t, { env: { CARTESIA_API_KEY: 'sk_car_not_the_one' } });
  t.equal((await ask(t, rejected.broker.url, mint, callOf(rejected))).code, 'upstream_rejected');
});

test('revoked callers, and callers while Redis is away, get the documented answer', async (t) => {
  const adminToken = 'an-admin-token-for-this-test-only-of-32-bytes';
  const redis = await redisServer(t);
  const { broker, appKey } = await startRunningBroker(t, {
    env: { ADMIN_TOKEN: adminToken, REDIS_URL: redis.url.reveal() },
  });
  const call: Call = { headers: { ...JSON_BODY, 'x-api-key': appKey }, body: '{}' };
  const revoked = await send(`${broker.managementUrl}/admin/revocations`, {
    credential: adminToken,
    json: { scope: 'client', client: 'kiosk' },
  });
  t.equal(revoked.status, 201);
  t.equal((await ask(t, broker.url, mint, call)).code, 'token_revoked');
  await redis.kill();
  await until(async () => (await ask(t, broker.url, mint, call)).code === 'store_unavailable');
});

test('a draining replica answers as documented', async (t) => {
  const { broker } = await startRunningBroker(t);
  broker.readiness.set('draining');
  t.equal((await ask(t, broker.url, endpointOf('ready'))).code, 'draining');
});

test('the code sample for the official SDK produces speech', async (t) => {
  const { broker, appKey } = await startRunningBroker(t);
  const sample = mint.operation['x-codeSamples']?.find(({ lang }) => lang === 'JavaScript')?.source ?? '';
  const [importLine = '', ...program] = sample.split('\n');
  t.equal(importLine, "import Cartesia from '@cartesia/cartesia-js';");
  const source = program.join('\n').replace('http://127.0.0.1:8080', broker.url);
  t.not(source, program.join('\n'), 'the address of this broker is inserted');
  const AsyncFunction = (async () => {}).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<Response>;
  const run = new AsyncFunction('Cartesia', 'credential', `${source}\nreturn speech;`);
  const speech = Buffer.from(await (await run(Cartesia, appKey)).arrayBuffer());
  t.equal(speech.toString('latin1', 0, 4), 'RIFF');
  t.ok(speech.length > 10_000, `${speech.length} bytes of audio`);
});
