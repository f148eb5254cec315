// The admission pipeline, with identity answers from the test.
import { Duplex } from 'node:stream';
import Fastify, { type FastifyInstance } from 'fastify';
import { type Test, test } from 'tap';
import { createAdmission, type Purpose } from '../../src/admission/admission.ts';
import { admitted } from '../../src/admission/admitted.ts';
import type { ClientConfig, Rate } from '../../src/config/config.ts';
import { errors } from '../../src/errors/plugin.ts';
import type { Identification, RequestFacts } from '../../src/identity/chain.ts';
import { registerRateLimits } from '../../src/limits/rate-limits.ts';
import { createRevocations, type Revocations } from '../../src/limits/revocations.ts';
import { upgradeOf } from '../../src/listener/upgrade.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { emptyRecord, type RequestRecord } from '../../src/telemetry/request-record.ts';
import { API_KEY, configOf, KEY_HASH } from '../config/loading.ts';
import { clientConfig } from '../identity/client-config.ts';
import { principalOf } from '../tokens/principal.ts';

const ONCE: Rate = { max: 1, windowMs: 60_000 };
const ANN: Identification = { outcome: 'authenticated', principal: principalOf({ subject: 'ann' }) };

interface Options {
  readonly answer?: (facts: RequestFacts) => Identification | Promise<Identification>;
  readonly client?: Partial<ClientConfig>;
  readonly mintPerAddress?: Rate | null;
  readonly requireHttps?: boolean;
  readonly purpose?: Purpose;
  readonly isUpgrade?: boolean;
}

interface SetUp {
  readonly app: FastifyInstance;
  readonly revocations: Revocations;
  readonly asked: RequestFacts[];
  readonly records: RequestRecord[];
}

async function guarded(t: Test, options: Options = {}): Promise<SetUp> {
  const { answer = () => ANN, mintPerAddress = null, requireHttps = false, purpose = 'mint' } = options;
  const { limits, listen } = await configOf({ CARTESIA_API_KEY: API_KEY, CLIENT_KEYS: `web=${KEY_HASH}` });
  const revocations = createRevocations({ store: createMemoryStore(), onEvent: () => {} });
  const asked: RequestFacts[] = [];
  const records: RequestRecord[] = [];
  const app = Fastify({ trustProxy: '127.0.0.1' });
  t.teardown(() => app.close());
  await app.register(errors);
  await registerRateLimits(app);
  app.decorateRequest('record');
  app.decorateRequest('admission', null);
  app.addHook('onRequest', async (request) => {
    request.record = emptyRecord();
    records.push(request.record);
    if (options.isUpgrade === true)
      Object.assign(request.raw, { [upgradeOf]: { socket: new Duplex(), head: Buffer.alloc(0) } });
  });
  const admission = createAdmission(app, {
    config: {
      clients: [clientConfig(options.client)],
      limits: { ...limits, mintPerAddress },
      listen: { ...listen, requireHttps },
    },
    identity: {
      authenticate(facts) {
        asked.push(facts);
        return answer(facts);
      },
      warm: async () => {},
      close: async () => {},
    },
    revocations,
    rates: null,
    purpose,
    ownOrigin: () => 'https://voice.example',
  });
  app.addHook('onRequest', admission);
  app.get('/', async (request) => ({ subject: admitted(request).principal.subject }));
  return { app, revocations, asked, records };
}

test('an authenticated caller is admitted, and the log record names it', async (t) => {
  for (const answer of [() => ANN, () => Promise.resolve(ANN)]) {
    const { app, asked, records } = await guarded(t, { answer });
    const response = await app.inject('/?a=b&c');
    t.strictSame([response.statusCode, response.json()], [200, { subject: 'ann' }]);
    t.match(records, [{ client: 'web', subject: 'ann', method: 'jwt', reason: null }]);
    t.match(asked, [{ query: 'a=b&c', isUpgrade: false }]);
    t.not(asked[0]?.connection, null);
  }
});

test('a refused caller gets the error code, and only the log gets the reason', async (t) => {
  const cases: readonly [Identification, number, object][] = [
    [{ outcome: 'refused', code: 'unauthenticated', reason: 'why' }, 401, { error_code: 'unauthenticated' }],
    [{ outcome: 'refused', code: 'token_expired', reason: 'why' }, 401, { error_code: 'token_expired' }],
    [
      { outcome: 'refused', code: 'invalid_request', reason: 'why', message: 'Two credentials.' },
      400,
      { error_code: 'invalid_request', message: 'Two credentials.' },
    ],
    [{ outcome: 'unavailable', reason: 'why' }, 503, { error_code: 'overloaded', message: /identity provider/ }],
  ];
  for (const [answer, status, body] of cases) {
    const { app, records } = await guarded(t, { answer: () => answer });
    const response = await app.inject('/');
    t.equal(response.statusCode, status);
    t.match(response.json(), body);
    t.notMatch(response.body, 'why');
    t.match(records, [{ client: null, reason: 'why' }]);
    t.equal(response.headers['retry-after'], status === 503 ? '5' : undefined);
  }
  const { app } = await guarded(t, { client: { name: 'ios' } });
  t.match((await app.inject('/')).json(), { error_code: 'internal_error' }, 'a principal of no configured client app');
});

test('anonymous callers may mint, and nothing else', async (t) => {
  const answer = (): Identification => ({ outcome: 'authenticated', principal: principalOf({ method: 'anonymous' }) });
  t.equal((await (await guarded(t, { answer })).app.inject('/')).statusCode, 200);
  const { app, records } = await guarded(t, { answer, purpose: 'carry' });
  t.match((await app.inject('/')).json(), { error_code: 'unauthenticated' });
  t.match(records, [{ client: null, reason: 'anonymous' }]);
});

test('a single-use token opens a socket and nothing else', async (t) => {
  const principal = principalOf({ method: 'access_token', claims: { single_use: true, jti: 'x' }, expiresAt: 1 });
  const answer = (): Identification => ({ outcome: 'authenticated', principal });
  const { app, records } = await guarded(t, { answer });
  t.match((await app.inject('/')).json(), { error_code: 'endpoint_not_allowed', message: /one WebSocket/ });
  t.match(records, [{ client: 'web', subject: 'user-1', method: 'access_token' }]);
  const socket = await guarded(t, { answer, isUpgrade: true });
  t.equal((await socket.app.inject('/')).statusCode, 200);
  t.match(socket.asked, [{ isUpgrade: true, connection: null }], 'no further request comes on its connection');
});

test('revoked callers and pages of other origins are refused by name', async (t) => {
  const { app, revocations, records } = await guarded(t, { client: { origins: ['https://app.example'] } });
  const from = (origin: string) => app.inject({ url: '/', headers: { origin } });
  t.equal((await from('https://app.example')).statusCode, 200);
  for (const origin of ['https://app.example.evil', 'https://app.example/', 'null', ''])
    t.match((await from(origin)).json(), { error_code: 'origin_not_allowed' }, origin);
  await revocations.add({ scope: 'subject', client: 'web', subject: 'ann' });
  t.match((await app.inject('/')).json(), { error_code: 'token_revoked' });
  t.ok(records.every(({ client, subject }) => client === 'web' && subject === 'ann'));
});

test('the broker itself is an origin like no other, for sockets: apps without a page send the address that they connect to', async (t) => {
  for (const isUpgrade of [true, false]) {
    const { app } = await guarded(t, { client: { origins: ['https://app.example'] }, isUpgrade });
    const from = async (origin: string) => (await app.inject({ url: '/', headers: { origin } })).statusCode;
    t.equal(await from('https://app.example'), 200);
    for (const own of ['https://voice.example', 'wss://voice.example', 'wss://Voice.Example:443'])
      t.equal(await from(own), isUpgrade ? 200 : 403, own);
    for (const origin of [
      'http://voice.example',
      'ws://voice.example',
      'https://voice.example:8443',
      'https://localhost:80',
      'null',
      '',
    ])
      t.equal(await from(origin), 403, origin);
  }
});

test('every guess counts against the rate of its address, before the credential is checked', async (t) => {
  const answer = (): Identification => ({ outcome: 'refused', code: 'unauthenticated', reason: 'why' });
  const { app, asked, records } = await guarded(t, { answer, mintPerAddress: ONCE });
  const from = (remoteAddress: string) => app.inject({ url: '/', remoteAddress });
  const first = await from('192.0.2.1');
  t.equal(first.statusCode, 401);
  t.match(first.headers, { 'ratelimit-limit': '1', 'ratelimit-remaining': '0', 'ratelimit-reset': '60' });
  const second = await from('192.0.2.1');
  t.equal(second.statusCode, 429);
  t.match(second.json(), { error_code: 'rate_limited' });
  t.match(second.headers['retry-after'], /^(59|60)$/);
  t.equal((await from('192.0.2.2')).statusCode, 401);
  t.equal(asked.length, 2);
  t.match(records, [{ reason: 'why' }, { reason: 'rate_of_address' }, { reason: 'why' }]);
});

test('each subject has its own window, and anonymous callers have one per address', async (t) => {
  const limits = { ...clientConfig().limits, mint: ONCE };
  const answer = ({ headers }: RequestFacts): Identification => {
    const { who = 'ann' } = headers;
    const method = who === 'stranger' ? 'anonymous' : 'jwt';
    return { outcome: 'authenticated', principal: principalOf({ subject: String(who), method }) };
  };
  const { app, records } = await guarded(t, { answer, client: { limits } });
  const statusOf = async (who: string, remoteAddress = '192.0.2.1'): Promise<number> =>
    (await app.inject({ url: '/', headers: { who }, remoteAddress })).statusCode;
  t.strictSame([await statusOf('ann'), await statusOf('ann', '192.0.2.2'), await statusOf('bob')], [200, 429, 200]);
  t.equal(records[1]?.reason, 'rate_of_subject');
  const strangers = [await statusOf('stranger'), await statusOf('stranger'), await statusOf('stranger', '192.0.2.2')];
  t.strictSame(strangers, [200, 429, 200]);
  const carried = await guarded(t, { answer, client: { limits }, purpose: 'carry', mintPerAddress: ONCE });
  for (const expected of [200, 200])
    t.equal((await carried.app.inject('/')).statusCode, expected, 'the mint rates do not apply');
});

test('where HTTPS is required, plain HTTP is refused before authentication', async (t) => {
  const { app, asked } = await guarded(t, { requireHttps: true });
  t.match((await app.inject('/')).json(), { error_code: 'https_required' });
  t.equal(asked.length, 0);
  const headers = { 'x-forwarded-proto': 'https' };
  t.equal((await app.inject({ url: '/', headers })).statusCode, 200, 'a trusted proxy may say that it was HTTPS');
  t.equal((await app.inject({ url: '/', headers, remoteAddress: '192.0.2.1' })).statusCode, 403, 'nobody else may');

  for (const [said, status] of [
    ['wss', 200], // sent by Traefik for WebSockets
    ['HTTPS', 200],
    ['http, wss', 200],
    ['ws', 403],
    ['https, ws', 403],
    ['https,', 403],
    ['httpss', 403],
  ] as const) {
    const answer = await app.inject({ url: '/', headers: { 'x-forwarded-proto': said } });
    t.equal(answer.statusCode, status, said);
  }
});

test('a route that is not behind the hook has no admission', async (t) => {
  const app = Fastify();
  app.decorateRequest('admission', null);
  app.get('/', async (request) => {
    t.throws(() => admitted(request), TypeError);
    return 'ok';
  });
  t.equal((await app.inject('/')).statusCode, 200);
});
