import { connect } from 'node:net';
import { Cartesia } from '@cartesia/cartesia-js';
import { Cartesia as Cartesia3 } from 'cartesia-js-3';
import { type Test, test } from 'tap';
import { request } from 'undici';
import { startOidcProvider } from '../identity/oidc-provider.ts';
import { startRunningBroker } from './running-broker.ts';

const SPEECH = {
  model_id: 'sonic-3',
  transcript: 'Good morning.',
  voice: { id: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b' },
  output_format: { container: 'wav', encoding: 'pcm_s16le', sample_rate: 24_000 },
} as const;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
}

async function mint(
  url: string,
  credential: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await request(`${url}/access-token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${credential}`, ...headers },
    body: JSON.stringify(body),
  });
  const answer = (await response.body.json()) as Record<string, unknown>;
  return { status: response.statusCode, headers: response.headers, body: answer };
}

/** Generates speech with a token and nothing else, as an app does. */
async function speaks(t: Test, token: unknown, cartesiaUrl: string): Promise<void> {
  const response = await new Cartesia({ token: String(token), baseURL: cartesiaUrl }).tts.generate(SPEECH);
  t.equal(response.status, 200);
  t.ok((await response.arrayBuffer()).byteLength > 10_000, 'a second of speech');
}

test('the time that Cartesia takes for a token is not reported as lifetime left', async (t) => {
  const { broker, simulator, appKey } = await startRunningBroker(t);
  simulator.configure({ latency: { mintMs: 2_100 } });
  const { body } = await mint(broker.url, appKey, { expires_in: 5 });
  t.strictSame([body['expires_in'], body['refresh_in']], [3, 2]);
  t.ok(Math.abs(Date.parse(String(body['expires_at'])) - Date.now() - 2_900) < 500);
});

test('an app key gets a token of Cartesia that speaks', async (t) => {
  const { broker, simulator, appKey, logs } = await startRunningBroker(t);
  const before = Date.now();
  const { status, headers, body } = await mint(broker.url, appKey, { grants: { tts: true }, expires_in: 60 });
  t.equal(status, 200);
  const { token, expires_at: expiresAt, ...rest } = body;
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
  t.equal(headers['cache-control'], 'no-store');
  t.match(headers['x-request-id'], /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  await speaks(t, token, simulator.url);

  const [asked] = simulator.journal.entries({ path: '/access-token' });
  t.equal(asked?.headers['authorization'], `Bearer ${simulator.apiKey}`);
  t.equal(asked?.headers['cartesia-version'], '2026-03-01');
  const line = logs.find((entry) => entry['audit'] === 'mint');
  t.match(line, { client: 'kiosk', auth: 'app_key', outcome: 'ok', route: '/access-token', grants: 'tts' });
  t.notOk(String(line?.['subject']).includes('kiosk'), 'the subject is hashed');
});

test('the official SDKs mint through the broker with an app key', async (t) => {
  const { broker, simulator, appKey } = await startRunningBroker(t);
  for (const Sdk of [Cartesia, Cartesia3]) {
    const { token } = await new Sdk({ apiKey: appKey, baseURL: broker.url }).accessToken.create({
      grants: { tts: true },
      expires_in: 60,
    });
    await speaks(t, token, simulator.url);
  }
});

test("a user's token from a real OIDC provider mints through the SDK, even after the provider has rotated its keys", async (t) => {
  const provider = await startOidcProvider();
  t.teardown(() => provider.close());
  const file = () => ({
    clients: {
      web: {
        auth: {
          jwt: [
            {
              issuer: provider.issuer,
              audience: 'voice',
              grants_from: { claim: 'scope', map: { speak: 'tts', listen: 'stt' } },
            },
          ],
        },
        grants: ['tts', 'stt'],
      },
    },
  });
  const { broker, simulator, watch } = await startRunningBroker(t, { file });
  const session = async (scope: string): Promise<string> => {
    const value = await provider.mintToken({ sub: 'ada@example.com', scope });
    watch.add({ name: 'session token', value }, 40);
    return value;
  };
  const sdk = (apiKey: string): Cartesia => new Cartesia({ apiKey, baseURL: broker.url, maxRetries: 0 });

  const { token } = await sdk(await session('speak listen')).accessToken.create({
    grants: { tts: true },
    expires_in: 60,
  });
  await speaks(t, token, simulator.url);

  const listener = await session('listen');
  await t.rejects(
    sdk(listener).accessToken.create({ grants: { tts: true } }),
    new Error('403 This caller may not have the grant "tts".'),
  );

  provider.rotate();
  const after = await sdk(await session('speak')).accessToken.create({ grants: { tts: true } });
  await speaks(t, after.token, simulator.url);
});

test('a trusted backend names its user, and nobody else may', async (t) => {
  const { broker, appKey, logs, simulator } = await startRunningBroker(t, { env: { TRUSTED_CLIENTS: 'kiosk' } });
  const first = await mint(broker.url, appKey, {}, { 'x-broker-subject': 'user-42' });
  const second = await mint(broker.url, appKey, {}, { 'x-broker-subject': 'user-43' });
  t.strictSame([first.status, second.status], [200, 200]);
  const subjects = logs.filter((line) => line['audit'] === 'mint').map((line) => line['subject']);
  t.equal(new Set(subjects).size, 2);
  t.match(await mint(broker.url, appKey, {}, { 'x-broker-subject': 'a'.repeat(129) }), {
    status: 400,
    body: { error_code: 'invalid_request' },
  });

  const other = await startRunningBroker(t);
  t.match(await mint(other.broker.url, other.appKey, {}, { 'x-broker-subject': 'user-42' }), {
    status: 403,
    body: { error_code: 'subject_not_allowed' },
  });
  t.equal(other.simulator.journal.entries({ path: '/access-token' }).length, 0, 'and nothing was minted');
  t.equal(simulator.journal.entries({ path: '/access-token' }).length, 2);
});

test('policy decides: defaults, refusals, shortened lifetimes, versions', async (t) => {
  const env = { GRANTS: 'tts,stt', TOKEN_TTL: '120', TOKEN_TTL_MAX: '600' };
  const { broker, appKey, simulator } = await startRunningBroker(t, { env });
  t.match(await mint(broker.url, appKey, {}), {
    status: 200,
    body: { expires_in: 120, grants: { tts: true, stt: true } },
  });
  t.match(await mint(broker.url, appKey, { expires_in: 3600 }), { status: 200, body: { expires_in: 600 } });
  t.match(await mint(broker.url, appKey, { grants: { agent: true } }), {
    status: 403,
    body: { error_code: 'grant_not_allowed', source: 'broker' },
  });
  t.match(await mint(broker.url, appKey, {}, { 'cartesia-version': '2026-08-14' }), {
    status: 200,
    body: { cartesia_version: '2026-08-14' },
  });
  t.match(await mint(broker.url, appKey, {}, { 'cartesia-version': '2026-02-30' }), {
    status: 400,
    body: { error_code: 'invalid_version' },
  });
  const bodies = simulator.journal.entries({ path: '/access-token' }).map(({ headers }) => headers['cartesia-version']);
  t.strictSame(bodies, ['2026-03-01', '2026-03-01', '2026-08-14']);
});

test('a request that announces no body gets the defaults; one that announces an empty body is refused', async (t) => {
  const { broker, appKey } = await startRunningBroker(t);
  const head = `POST /access-token HTTP/1.1\r\nHost: broker\r\nConnection: close\r\nAuthorization: Bearer ${appKey}\r\n`;
  t.match(await answerTo(broker.url, `${head}\r\n`), /^HTTP\/1\.1 200 .*"token":/s);
  t.match(
    await answerTo(broker.url, `${head}Content-Type: application/json\r\nContent-Length: 0\r\n\r\n`),
    /^HTTP\/1\.1 400 /,
  );
});

/** Sends these bytes and reads until the connection ends. */
async function answerTo(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(bytes);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

test('delivery proxied: the broker signs the tokens, and they mint nothing further', async (t) => {
  const env = {
    DELIVERY: 'proxied',
    TOKEN_SIGNING_SECRET: 'a-signing-secret-of-more-than-32-bytes-0001',
    PUBLIC_URL: 'https://voice.example.com/',
  };
  const { broker, appKey, simulator } = await startRunningBroker(t, { env });
  const { status, body } = await mint(broker.url, appKey, { expires_in: 60 });
  t.equal(status, 200);
  t.match(body, {
    delivery: 'proxied',
    base_url: 'https://voice.example.com',
    websocket_url: 'wss://voice.example.com',
  });
  const left = Number(body['expires_in']); // one less if a second has passed in between
  t.ok(left === 60 || left === 59, String(left));
  t.equal(simulator.journal.entries({ path: '/access-token' }).length, 0, 'Cartesia was not asked');
  t.match(await mint(broker.url, String(body['token']), {}), {
    status: 403,
    body: { error_code: 'endpoint_not_allowed' },
  });
});

test('GET / responds as Cartesia does', async (t) => {
  const { broker } = await startRunningBroker(t);
  const response = await request(broker.url);
  t.equal(response.statusCode, 200);
  t.strictSame(await response.body.json(), { ok: true, version: '2026-03-01' });
});
