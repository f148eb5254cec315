// Browsers: which pages may call, and what a preflight is told.
import { Cartesia } from '@cartesia/cartesia-js';
import { test } from 'tap';
import { request } from 'undici';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { startRunningBroker } from './running-broker.ts';

const WEB = 'https://app.example.com';
const SHOP = 'https://shop.example.com';

const twoApps = (shopKey: string) => (digest: string) => ({
  clients: {
    web: { auth: { keys: [digest] }, grants: ['tts'], origins: [WEB], limits: { mint: 'off' } },
    shop: { auth: { keys: [`sha256:${appKeyDigest(shopKey)}`] }, grants: ['tts'], origins: [SHOP] },
  },
});

test('a preflight for everything the official SDK sends is answered, without a credential', async (t) => {
  const { broker, simulator, logs } = await startRunningBroker(t, { file: twoApps(createAppKey()) });
  const sent: string[] = [];
  const sdk = new Cartesia({
    apiKey: 'not sent anywhere',
    baseURL: broker.url,
    maxRetries: 0,
    fetch: async (_url, init) => {
      sent.push(...new Headers(init?.headers).keys());
      return new Response('{"token":"t"}', { headers: { 'content-type': 'application/json' } });
    },
  });
  await sdk.accessToken.create({ grants: { tts: true }, expires_in: 60 });
  t.ok(sent.includes('authorization') && sent.includes('cartesia-version') && sent.length > 8, sent.join());

  const preflight = await request(`${broker.url}/access-token`, {
    method: 'OPTIONS',
    headers: {
      origin: WEB,
      'access-control-request-method': 'POST',
      'access-control-request-headers': sent.join(','),
    },
  });
  t.equal(preflight.statusCode, 204);
  t.equal(await preflight.body.text(), '');
  const { headers } = preflight;
  t.equal(headers['access-control-allow-origin'], WEB);
  const allowed = String(headers['access-control-allow-headers']).split(', ');
  t.strictSame(
    sent.filter((name) => !allowed.includes(name)),
    [],
    'every header of the SDK may be sent',
  );
  t.notOk(allowed.includes('*'));
  t.match(String(headers['access-control-allow-methods']), /\bPOST\b/);
  t.equal(headers['access-control-max-age'], '600');
  t.equal(headers['access-control-allow-credentials'], undefined);
  t.match(String(headers['vary']), /\bOrigin\b/i);
  t.ok(headers['x-request-id']);
  t.strictSame(simulator.journal.entries(), []);
  t.match(logs, [{ method: 'OPTIONS', status: 204, outcome: 'ok' }]);
});

test('preflights of an older SDK, of calls with a time limit, and of traced calls are answered too', async (t) => {
  const { broker } = await startRunningBroker(t, { file: twoApps(createAppKey()) });
  const fern = ['language', 'sdk-name', 'sdk-version', 'runtime', 'runtime-version'].map((name) => `x-fern-${name}`);
  const sent = [
    'cartesia-version',
    'content-type',
    'x-api-key',
    'x-cartesia-client',
    'x-stainless-timeout',
    'x-stainless-async',
    'traceparent',
    'tracestate',
    'baggage',
    'sentry-trace',
    ...fern,
  ];
  const { statusCode, headers, body } = await request(`${broker.url}/access-token`, {
    method: 'OPTIONS',
    headers: {
      origin: WEB,
      'access-control-request-method': 'POST',
      'access-control-request-headers': sent.join(','),
    },
  });
  await body.dump();
  t.equal(statusCode, 204);
  const allowed = String(headers['access-control-allow-headers']).split(', ');
  t.strictSame(
    sent.filter((name) => !allowed.includes(name)),
    [],
  );
});

test('a page inside an app may call, with a scheme of its own', async (t) => {
  const origin = 'capacitor://localhost';
  const { broker, appKey } = await startRunningBroker(t, {
    file: (digest) => ({ clients: { mobile: { auth: { keys: [digest] }, grants: ['tts'], origins: [origin] } } }),
  });
  for (const [asks, status, allowed] of [
    [origin, 200, origin],
    ['capacitor://elsewhere', 403, undefined],
    ['ionic://localhost', 403, undefined],
  ] as const) {
    const { statusCode, headers, body } = await request(`${broker.url}/access-token`, {
      method: 'POST',
      headers: { origin: asks, authorization: `Bearer ${appKey}`, 'content-type': 'application/json' },
      body: '{}',
    });
    await body.dump();
    t.strictSame([statusCode, headers['access-control-allow-origin']], [status, allowed], asks);
  }
});

test('a preflight tells a page on another origin nothing', async (t) => {
  const { broker } = await startRunningBroker(t, { file: twoApps(createAppKey()) });
  for (const origin of [
    'https://evil.example',
    'null',
    `${WEB}.evil.example`,
    WEB.toUpperCase(),
    'http://app.example.com',
    '',
  ]) {
    const { headers, body } = await request(`${broker.url}/access-token`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    await body.dump();
    t.equal(headers['access-control-allow-origin'], undefined, origin);
    t.match(String(headers['vary']), /\bOrigin\b/i);
  }
});

test('each client app is held to its own origins', async (t) => {
  const shopKey = createAppKey();
  const { broker, simulator, appKey, watch } = await startRunningBroker(t, { file: twoApps(shopKey) });
  watch.add({ name: "the shop's app key", value: shopKey });
  const cases = [
    [appKey, WEB, 200],
    [appKey, undefined, 200],
    [appKey, SHOP, 403],
    [appKey, 'null', 403],
    [appKey, 'https://evil.example', 403],
    [appKey, `${WEB}/`, 403],
    [appKey, `${WEB}:443`, 403],
    [shopKey, SHOP, 200],
    [shopKey, WEB, 403],
    ['nobody', WEB, 401],
    ['nobody', 'https://evil.example', 401],
  ] as const;
  for (const [key, origin, status] of cases) {
    simulator.journal.clear();
    const { statusCode, headers, body } = await request(`${broker.url}/access-token`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        ...(origin === undefined ? {} : { origin }),
      },
      body: '{}',
    });
    const answer = (await body.json()) as Record<string, unknown>;
    t.equal(statusCode, status, `${origin}`);
    if (status === 403) t.equal(answer['error_code'], 'origin_not_allowed');
    t.equal(simulator.journal.entries().length, status === 200 ? 1 : 0);
    const isListed = origin === WEB || origin === SHOP;
    t.equal(
      headers['access-control-allow-origin'],
      isListed ? origin : undefined,
      'a page of ours may read a refusal too',
    );
    t.equal(headers['access-control-allow-credentials'], undefined);
    t.match(String(headers['vary']), /\bOrigin\b/i);
    if (!isListed) continue;
    const exposed = String(headers['access-control-expose-headers']).split(', ');
    const forClients = Object.keys(headers).filter((name) =>
      /^(?:ratelimit|retry|x-request|x-should|cartesia)-/.test(name),
    );
    t.strictSame(
      forClients.filter((name) => !exposed.includes(name)),
      [],
      'a page can read what an answer tells its client',
    );
    for (const name of ['retry-after', 'cartesia-file-id']) t.ok(exposed.includes(name), name);
    if (status === 200) t.ok(forClients.includes('x-request-id') && forClients.includes('cartesia-request-id'));
    if (key === shopKey && status === 200) t.ok(forClients.includes('ratelimit-remaining'));
  }
});

test('without origins there is no cross-origin access at all', async (t) => {
  const { broker, appKey, simulator } = await startRunningBroker(t);
  const preflight = await request(`${broker.url}/access-token`, {
    method: 'OPTIONS',
    headers: { origin: WEB, 'access-control-request-method': 'POST' },
  });
  t.equal(preflight.statusCode, 404);
  t.match(await preflight.body.json(), { error_code: 'not_found' });
  const mint = await request(`${broker.url}/access-token`, {
    method: 'POST',
    headers: { origin: WEB, authorization: `Bearer ${appKey}`, 'content-type': 'application/json' },
    body: '{}',
  });
  t.match(await mint.body.json(), { error_code: 'origin_not_allowed' });
  for (const { headers } of [preflight, mint])
    t.notOk(Object.keys(headers).some((name) => name.startsWith('access-control-')));
  t.strictSame(simulator.journal.entries(), []);
});

test('a request without Origin gets no CORS headers, and Vary tells caches that pages do', async (t) => {
  const { broker } = await startRunningBroker(t, { file: twoApps(createAppKey()) });
  for (const method of ['POST', 'GET'] as const) {
    const { headers, body } = await request(`${broker.url}/access-token`, { method });
    await body.dump();
    t.strictSame(
      Object.keys(headers).filter((name) => name.startsWith('access-control-')),
      [],
    );
    t.match(String(headers['vary']), /\bOrigin\b/i);
  }
});
