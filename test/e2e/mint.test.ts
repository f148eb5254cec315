import { Cartesia } from '@cartesia/cartesia-js';
import { test } from 'tap';
import { request } from 'undici';
import { startRunningBroker } from './running-broker.ts';

const JSON_BODY = { 'content-type': 'application/json' };

test('an app key becomes a token of Cartesia that speaks', async (t) => {
  const { broker, simulator, appKey, logs } = await startRunningBroker(t);
  const before = Date.now();
  const response = await request(`${broker.url}/access-token`, {
    method: 'POST',
    headers: { ...JSON_BODY, authorization: `Bearer ${appKey}` },
    body: '{"grants":{"tts":true},"expires_in":60}',
  });
  const answer = (await response.body.json()) as Record<string, unknown>;
  t.equal(response.statusCode, 200);
  const { token, expires_at: expiresAt, ...rest } = answer;
  t.strictSame(rest, {
    expires_in: 60,
    refresh_in: 48,
    grants: { tts: true, stt: false, agent: false },
    delivery: 'direct',
    base_url: simulator.url,
    websocket_url: simulator.url.replace('http', 'ws'),
    cartesia_version: '2026-03-01',
  });
  const expires = Date.parse(String(expiresAt));
  t.ok(expires >= before + 60_000 && expires <= Date.now() + 60_000, 'counted from before the upstream call');
  t.equal(response.headers['cache-control'], 'no-store');
  t.match(response.headers['x-request-id'], /^[0-9a-f]{8}-[0-9a-f]{4}-4/);

  const speech = await new Cartesia({ token: String(token), baseURL: simulator.url }).tts.generate({
    model_id: 'sonic-3',
    transcript: 'Good morning.',
    voice: { id: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b' },
    output_format: { container: 'wav', encoding: 'pcm_s16le', sample_rate: 24_000 },
  });
  t.equal(speech.status, 200);
  t.ok((await speech.arrayBuffer()).byteLength > 10_000);

  const [mint] = simulator.journal.entries({ path: '/access-token' });
  t.equal(mint?.headers['authorization'] ?? mint?.headers['x-api-key'], `Bearer ${simulator.apiKey}`);
  t.equal(mint?.headers['cartesia-version'], '2026-03-01');
  const line = logs.find((entry) => entry['audit'] === 'mint');
  t.match(line, {
    client: 'kiosk',
    auth: 'app_key',
    outcome: 'ok',
    route: '/access-token',
    grants: 'tts',
    delivery: 'direct',
  });
  t.notOk(String(line?.['subject']).includes('kiosk'), 'the subject is hashed');
});
