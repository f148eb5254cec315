// Refused credentials in GET /metrics and in the log.
import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { refused } from '../simulator/sockets/socket-client.ts';
import { SPEECH, send, startCarrying } from './carried-broker.ts';
import { metricsOf, until } from './limits-answers.ts';

test('a refused credential is counted on every route, with its reason', async (t) => {
  const { broker, simulator, token, logs } = await startCarrying(t);
  const elsewhere = await startCarrying(t, { env: { TOKEN_SIGNING_SECRET: randomBytes(32).toString('hex') } });
  const upgrade = { ...simulator, url: broker.url };
  t.equal((await send(`${broker.url}/access-token`, { credential: 'nobody', json: {} })).status, 401);
  t.equal((await send(`${broker.url}/tts/bytes`, { credential: 'nobody', json: SPEECH })).status, 401);
  t.equal((await refused(upgrade, '/tts/websocket', { credential: 'nobody' })).status, 401);
  t.equal((await send(`${broker.url}/tts/bytes`, { credential: elsewhere.token, json: SPEECH })).status, 401);
  t.equal((await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH })).status, 200);
  await until(() => logs.filter(({ reason }) => reason !== undefined).length === 4);
  const counted = [...(await metricsOf(broker.managementUrl))].filter(([name]) =>
    name.includes('authentication_failures'),
  );
  t.strictSame(counted, [
    ['broker_authentication_failures_total{reason="app_key_unknown"}', 3],
    ['broker_authentication_failures_total{reason="access_token_secret_unknown"}', 1],
  ]);
});

test('an exceeded rate is not a refused credential', async (t) => {
  const { broker, logs } = await startCarrying(t, { env: { MINT_RATE_PER_IP: '1/hour' } });
  t.equal((await send(`${broker.url}/access-token`, { credential: 'nobody', json: {} })).status, 429);
  await until(() => logs.some(({ reason }) => reason === 'rate_of_address'));
  const names = [...(await metricsOf(broker.managementUrl)).keys()];
  t.notOk(names.some((name) => name.startsWith('broker_authentication_failures_total{')));
});
