// The mint route from an admitted request to its answer, with minters and budget of the test.
import type { ServerResponse } from 'node:http';
import Fastify from 'fastify';
import { type Test, test } from 'tap';
import type { ClientConfig, Delivery } from '../../src/config/config.ts';
import { errors } from '../../src/errors/plugin.ts';
import { Problem } from '../../src/errors/problems.ts';
import type { Principal } from '../../src/identity/principal.ts';
import type { Quotas } from '../../src/limits/quotas.ts';
import { noCompilers } from '../../src/listener/no-compilers.ts';
import { emptyRecord, type RequestRecord } from '../../src/telemetry/request-record.ts';
import { destination } from '../../src/tokens/access-token.ts';
import type { Minted, Minter, MintOrder } from '../../src/tokens/minter.ts';
import { mintRoute } from '../../src/tokens/route.ts';
import { clientConfig } from '../identity/client-config.ts';
import { principalOf } from './principal.ts';

interface Options {
  readonly principal?: Partial<Principal>;
  readonly client?: Partial<ClientConfig>;
  /** What the minter returns for an order, or the problem that it throws. */
  readonly minted?: Partial<Minted> | Problem;
  readonly recalled?: Partial<Minted> | null;
  readonly isLimited?: boolean;
  readonly budget?: Problem;
  /** Happens while the budget is being booked. */
  readonly meanwhile?: 'left' | 'revoked';
  readonly versionPolicy?: 'fill' | 'pin';
}

async function setUp(t: Test, options: Options = {}) {
  const orders: MintOrder[] = [];
  let response: ServerResponse | null = null;
  let isRevoked = false;
  const booked: unknown[] = [];
  const records: RequestRecord[] = [];
  const made = (order: MintOrder, given: Partial<Minted> = {}): Minted => ({
    token: 'a-token',
    expiresAtMs: Date.now() + order.lifetimeSeconds * 1000,
    lifetimeSeconds: order.lifetimeSeconds,
    isReused: false,
    upstreamRequestId: 'req-1',
    upstreamMs: 7,
    audit: { isReported: false },
    ...given,
  });
  const minter: Minter = {
    recall: (order) => (options.recalled == null ? null : made(order, options.recalled)),
    async mint(order) {
      orders.push(order);
      if (options.minted instanceof Problem) throw options.minted;
      return made(order, options.minted);
    },
  };
  const quotas: Pick<Quotas, 'isLimited' | 'book'> = {
    isLimited: (unit) => unit === 'mints' && options.isLimited === true,
    async book(unit, { client, subject }, amount) {
      if (options.budget !== undefined) throw options.budget;
      booked.push([unit, client, subject, amount]);
      if (options.meanwhile === 'left') response?.destroy();
      isRevoked = options.meanwhile === 'revoked';
      return { settle: (consumed) => void booked.push(consumed) };
    },
  };
  const app = Fastify({ schemaController: noCompilers });
  t.teardown(() => app.close());
  await app.register(errors);
  app.decorateRequest('record');
  app.decorateRequest('admission', null);
  app.addHook('onRequest', async (request, reply) => {
    response = reply.raw;
    request.record = emptyRecord();
    records.push(request.record);
    request.admission = { principal: principalOf(options.principal), client: clientConfig(options.client) };
  });
  await app.register(mintRoute, {
    upstream: { version: '2026-03-01', versionPolicy: options.versionPolicy ?? 'fill' },
    minters: new Map<Delivery, Minter>([
      ['direct', minter],
      ['proxied', minter],
    ]),
    quotas: quotas as Quotas, // the route uses nothing else
    revocations: {
      checkAgain() {
        if (isRevoked) throw new Problem('token_revoked');
      },
      refusalOf: () => null,
    },
    onUndelivered: () => t.fail('the answer was delivered'),
    destination: (delivery) => destination(delivery, 'https://voice.example.com'),
  });
  const mint = (payload?: object, headers: Record<string, string> = {}) =>
    app.inject({ method: 'POST', url: '/access-token', headers, ...(payload === undefined ? {} : { payload }) });
  return { mint, orders, booked, records };
}

test('an empty request gets the defaults, and its answer must not be cached', async (t) => {
  const { mint, orders, booked, records } = await setUp(t);
  const response = await mint();
  t.equal(response.statusCode, 200);
  t.match(response.json(), {
    token: 'a-token',
    expires_in: 300,
    grants: { tts: true, stt: false, agent: false },
    delivery: 'direct',
    base_url: 'https://voice.example.com',
    cartesia_version: '2026-03-01',
  });
  t.match(response.headers, {
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'cartesia-request-id': 'req-1',
  });
  t.match(orders, [{ grants: ['tts'], lifetimeSeconds: 300, isSingleUse: false, version: '2026-03-01' }]);
  t.strictSame(booked, [], 'no budget applies');
  const mintRecord = { grants: ['tts'], expiresIn: 300, delivery: 'direct', reused: false };
  t.match(records, [{ upstreamMs: 7, upstreamRequestId: 'req-1', mint: mintRecord }]);
});

test('the requested grants and lifetime are minted, with the version that the client names', async (t) => {
  const { mint, orders } = await setUp(t, { client: { grants: ['tts', 'stt'] } });
  const headers = { 'cartesia-version': '2025-04-16' };
  const response = await mint({ grants: { stt: true }, expires_in: 60 }, headers);
  t.match(response.json(), { expires_in: 60, cartesia_version: '2025-04-16', grants: { tts: false, stt: true } });
  t.match(orders, [{ grants: ['stt'], lifetimeSeconds: 60, version: '2025-04-16' }]);
  t.match((await mint({}, { 'cartesia-version': 'latest' })).json(), { error_code: 'invalid_version' });
  const pinned = await setUp(t, { versionPolicy: 'pin' });
  t.match((await pinned.mint({}, headers)).json(), { cartesia_version: '2026-03-01' });
});

test('a request beyond what is allowed is refused without minting', async (t) => {
  const cases: readonly [Options, object, object][] = [
    [{ principal: { method: 'access_token' } }, {}, { error_code: 'endpoint_not_allowed' }],
    [{}, { grants: { agent: true } }, { error_code: 'grant_not_allowed', message: /"agent"/ }],
    [{ principal: { grants: ['stt'] } }, {}, { error_code: 'grant_not_allowed' }],
    [{}, { expires_in: 0 }, { error_code: 'invalid_request', message: /"expires_in"/ }],
    [{}, { single_use: true }, { error_code: 'invalid_request', message: /"single_use" needs delivery proxied/ }],
    [{ isLimited: true, budget: new Problem('quota_exceeded') }, {}, { error_code: 'quota_exceeded' }],
  ];
  for (const [options, body, expected] of cases) {
    const { mint, orders } = await setUp(t, options);
    const response = await mint(body);
    t.match(response.json(), expected);
    t.strictSame(orders, []);
  }
  const { mint, orders } = await setUp(t);
  const long = await mint({ grants: null, pad: 'x'.repeat(16_384) });
  t.match(long.json(), { error_code: 'payload_too_large' });
  t.strictSame(orders, []);
});

test('a single-use token lives for at most a minute', async (t) => {
  for (const [seconds, expected] of [
    [300, 60],
    [30, 30],
  ] as const) {
    const { mint, orders } = await setUp(t, { client: { delivery: 'proxied' } });
    t.match((await mint({ single_use: true, expires_in: seconds })).json(), { expires_in: expected });
    t.match(orders, [{ isSingleUse: true, lifetimeSeconds: expected }]);
  }
});

test('only a newly minted token is booked, not a shared, failed or reused one', async (t) => {
  const anew = await setUp(t, { isLimited: true });
  t.equal((await anew.mint()).statusCode, 200);
  t.strictSame(anew.booked, [['mints', 'web', 'user-1', 1]]);

  const joined = await setUp(t, {
    isLimited: true,
    minted: { isReused: true, upstreamMs: null, audit: { isReported: true } },
  });
  t.equal((await joined.mint()).statusCode, 200);
  t.strictSame(joined.booked, [['mints', 'web', 'user-1', 1], 0]);
  t.match(joined.records, [{ upstreamMs: null, mint: { reused: true } }]);

  const failed = await setUp(t, { isLimited: true, minted: new Problem('upstream_timeout') });
  t.match((await failed.mint()).json(), { error_code: 'upstream_timeout' });
  t.strictSame(failed.booked, [['mints', 'web', 'user-1', 1], 0]);

  const recalled = await setUp(t, { isLimited: true, recalled: { isReused: true, upstreamRequestId: null } });
  const response = await recalled.mint();
  t.equal(response.statusCode, 200);
  t.notOk('cartesia-request-id' in response.headers);
  t.strictSame([recalled.booked, recalled.orders], [[], []]);
});

test('a caller that was revoked or left while its budget was being booked is not minted for', async (t) => {
  const revoked = await setUp(t, { isLimited: true, meanwhile: 'revoked' });
  t.match((await revoked.mint()).json(), { error_code: 'token_revoked' });
  t.strictSame([revoked.orders, revoked.booked], [[], [['mints', 'web', 'user-1', 1], 0]]);

  const gone = await setUp(t, { isLimited: true, meanwhile: 'left' });
  await gone.mint();
  t.strictSame([gone.orders, gone.booked], [[], [['mints', 'web', 'user-1', 1], 0]]);
});
