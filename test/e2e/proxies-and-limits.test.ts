// What a broker believes of the proxy in front of it, and how often one address and one subject may ask.
import { setTimeout as delay } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { request } from 'undici';
import { openRaw } from './raw-connection.ts';
import { type RunningBroker, type RunningBrokerOptions, startRunningBroker } from './running-broker.ts';

interface Answer {
  readonly status: number;
  readonly code: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

type Mint = (headers?: Readonly<Record<string, string>>, key?: string) => Promise<Answer>;

async function startWithMint(t: Test, options: RunningBrokerOptions): Promise<RunningBroker & { readonly mint: Mint }> {
  const running = await startRunningBroker(t, options);
  return {
    ...running,
    async mint(headers = {}, key = running.appKey) {
      const {
        statusCode,
        headers: said,
        body,
      } = await request(`${running.broker.url}/access-token`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        body: '{}',
      });
      const { error_code: code } = (await body.json()) as Record<string, unknown>;
      return { status: statusCode, code, headers: said };
    },
  };
}

const HTTPS = { 'x-forwarded-proto': 'https' };

test('REQUIRE_HTTPS: plain HTTP is refused unless a trusted proxy says it was HTTPS', async (t) => {
  const env = { REQUIRE_HTTPS: 'true' };
  const trusting = await startWithMint(t, { env: { ...env, TRUST_PROXY: '127.0.0.1' } });
  t.match(await trusting.mint(), { status: 403, code: 'https_required' });
  t.match(await trusting.mint({ 'x-forwarded-proto': 'http' }), { status: 403, code: 'https_required' });
  t.match(await trusting.mint({ 'x-forwarded-proto': 'https, http' }), { status: 403 }, 'the last hop was plain HTTP');
  t.match(await trusting.mint({ forwarded: 'proto=https' }), { status: 403 });
  t.match(await trusting.mint(HTTPS), { status: 200 });
  t.equal((await request(`${trusting.broker.url}/livez`)).statusCode, 200, 'probes come over plain HTTP');
  t.equal(trusting.simulator.journal.entries().length, 1);

  for (const TRUST_PROXY of [undefined, '10.0.0.0/8']) {
    const distrusting = await startWithMint(t, { env: { ...env, TRUST_PROXY } });
    t.match(await distrusting.mint(HTTPS), { status: 403, code: 'https_required' }, 'anybody can say so');
    t.strictSame(distrusting.simulator.journal.entries(), []);
  }
});

test('TRUST_PROXY may trust everybody', async (t) => {
  const { mint } = await startWithMint(t, { env: { REQUIRE_HTTPS: 'true', TRUST_PROXY: '0.0.0.0/0' } });
  t.match(await mint(HTTPS), { status: 200 });
  t.match(await mint(), { status: 403, code: 'https_required' });
});

test('behind a proxy an idle connection is kept longer than the proxy keeps it, so that the proxy closes first', async (t) => {
  for (const [TRUST_PROXY, seconds] of [
    [undefined, 72],
    ['127.0.0.1', 620],
  ] as const) {
    const seams = { timeouts: { stalledMs: 100 } };
    const { broker } = await startRunningBroker(t, { env: { TRUST_PROXY }, seams });
    const connection = await openRaw(t, broker.url);
    const ask = async () => {
      connection.send('GET /livez HTTP/1.1\r\nHost: b\r\n\r\n');
      return await connection.response();
    };
    t.equal((await ask()).headers['keep-alive'], `timeout=${seconds}`);
    await delay(500);
    t.equal((await ask()).status, 200, 'a client that has nothing to ask is not one that does not read');
  }
});

test('per address: the address is counted before the credential is checked', async (t) => {
  const { mint, simulator, logs } = await startWithMint(t, { env: { MINT_RATE_PER_IP: '3/minute' } });
  const first = await mint({}, 'nobody');
  t.match(first, { status: 401, headers: { 'ratelimit-limit': '3', 'ratelimit-remaining': '2' } });
  t.match(await mint(), { status: 200, headers: { 'ratelimit-remaining': '1' } });
  t.match(await mint({}, 'nobody'), { status: 401 });
  logs.length = 0;
  for (const key of ['nobody', undefined]) {
    const { status, code, headers } = await mint({}, key);
    t.strictSame({ status, code }, { status: 429, code: 'rate_limited' }, 'good credentials and bad ones alike');
    const wait = Number(headers['retry-after']);
    t.ok(wait >= 1 && wait <= 60, `retry-after ${wait}`);
    t.equal(headers['x-should-retry'], 'true');
    t.match(headers, { 'ratelimit-limit': '3', 'ratelimit-remaining': '0', 'cache-control': 'no-store' });
    t.match(Number(headers['ratelimit-reset']), wait);
  }
  t.equal(simulator.journal.entries().length, 1);
  t.match(logs, [
    { outcome: 'rate_limited', status: 429, audit: 'refusal', reason: 'rate_of_address' },
    { outcome: 'rate_limited', status: 429, reason: 'rate_of_address' },
  ]);
  t.match(
    await mint({ 'x-forwarded-for': '203.0.113.9' }),
    { status: 429 },
    'an address that the caller names does not count',
  );
});

test('a long window never asks for a wait of more than a minute', async (t) => {
  const { mint } = await startWithMint(t, { env: { MINT_RATE_PER_IP: '1/day' } });
  await mint();
  const { status, headers } = await mint();
  t.equal(status, 429);
  t.equal(headers['retry-after'], '60');
  t.ok(Number(headers['ratelimit-reset']) > 3600, 'the window itself is reported as it is');
});

test('per address behind a trusted proxy: the address it names, IPv6 by its /64', async (t) => {
  const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });
  for (const [name, one, same, other] of [
    ['IPv4', '203.0.113.1', '203.0.113.1', '203.0.113.2'],
    [
      'IPv4 appended to what the caller wrote itself',
      '203.0.113.1',
      '198.51.100.7, 203.0.113.1',
      '203.0.113.1, 203.0.113.2',
    ],
    ['IPv4 as IPv6', '203.0.113.1', '::ffff:203.0.113.1', '::ffff:203.0.113.2'],
    ['IPv6', '2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:3::1'],
    ['a proxy before it, with its port', '203.0.113.1:70, 127.0.0.9:71', '203.0.113.1', '203.0.113.2, 127.0.0.9:71'],
  ] as const) {
    await t.test(name, async (t) => {
      const { mint } = await startWithMint(t, { env: { MINT_RATE_PER_IP: '1/minute', TRUST_PROXY: '127.0.0.0/8' } });
      t.match(await mint(from(one)), { status: 200 });
      t.match(await mint(from(same)), { status: 429 });
      t.match(await mint(from(other)), { status: 200 });
    });
  }
});

test('per subject: after authentication, each subject on its own', async (t) => {
  const { mint, simulator, logs } = await startWithMint(t, {
    file: (digest) => ({
      clients: {
        backend: { trusted: true, auth: { keys: [digest] }, grants: ['tts'], limits: { mint: '2/minute' } },
      },
    }),
  });
  const as = (subject: string): Record<string, string> => ({ 'x-broker-subject': subject });
  t.match(await mint(as('alice')), { status: 200, headers: { 'ratelimit-limit': '2', 'ratelimit-remaining': '1' } });
  t.match(await mint(as('alice')), { status: 200, headers: { 'ratelimit-remaining': '0' } });
  const refused = await mint(as('alice'));
  t.match(refused, {
    status: 429,
    code: 'rate_limited',
    headers: { 'ratelimit-limit': '2', 'ratelimit-remaining': '0', 'x-should-retry': 'true' },
  });
  const wait = Number(refused.headers['retry-after']);
  t.ok(wait >= 1 && wait <= 60);
  t.match(logs.at(-1), { outcome: 'rate_limited', reason: 'rate_of_subject' });
  t.match(await mint(as('bob')), { status: 200 });
  t.match(await mint({}, 'nobody'), { status: 401 }, 'an unknown caller has no window of a subject');
  t.match(await mint(as('alice'), 'nobody'), { status: 401 }, "and can use up nobody else's");
  t.equal(simulator.journal.entries().length, 3);
});
