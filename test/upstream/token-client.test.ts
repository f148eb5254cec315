import { once } from 'node:events';
import { type Test, test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { FAILURES_TO_OPEN } from '../../src/upstream/circuit-breaker.ts';
import { createKeyAlarm } from '../../src/upstream/key-alarm.ts';
import { createKeyRing } from '../../src/upstream/key-ring.ts';
import { createTokenClient, type TokenWish } from '../../src/upstream/token-client.ts';
import type { UpstreamEvent } from '../../src/upstream/upstream-event.ts';
import { API_KEY, clientUnderTest, problemOf, settings, WISH } from './client-under-test.ts';
import { jsonAnswer, type RawRequest, startRawUpstream, tokenAnswer } from './raw-upstream.ts';

async function upstreamThat(t: Test, onRequest: (request: RawRequest) => void) {
  const upstream = await startRawUpstream(onRequest);
  t.teardown(() => upstream.close());
  return upstream;
}

test('mints with exactly the request that Cartesia documents', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) =>
    socket.write(tokenAnswer('aa.bb.cc', 'x-request-id: req-1\r\n')),
  );
  const { client, events } = clientUnderTest(t, { baseUrl: upstream.url });
  const answer = await client.mint({ grants: ['tts', 'stt'], expiresInSeconds: 60, version: '2025-04-16' });
  t.equal(answer.token, 'aa.bb.cc');
  t.equal(answer.requestId, 'req-1');
  t.ok(answer.upstreamMs > 0 && answer.upstreamMs < 2_000);
  t.equal(
    upstream.received,
    [
      'POST /access-token HTTP/1.1',
      `host: 127.0.0.1:${upstream.port}`,
      'connection: keep-alive',
      `authorization: Bearer ${API_KEY}`,
      'cartesia-version: 2025-04-16',
      'content-type: application/json',
      'accept: application/json',
      'accept-encoding: identity',
      'user-agent: cartesia-broker',
      'content-length: 64',
      '',
      '{"grants":{"tts":true,"stt":true,"agent":false},"expires_in":60}',
    ].join('\r\n'),
  );
  t.match(events, [{ type: 'attempt', outcome: 'token', status: 200 }]);
  t.match(client.health, { breaker: 'closed', running: 0, waiting: 0, keys: { working: 1, total: 1 } });
  t.type(client.health.secondsSinceLastToken, 'number');
});

test('a base URL with a path keeps it', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => socket.write(tokenAnswer()));
  const { client } = clientUnderTest(t, { baseUrl: `${upstream.url}/egress/cartesia/` });
  await client.mint(WISH);
  t.ok(upstream.received.startsWith('POST /egress/cartesia/access-token HTTP/1.1\r\n'));
});

test('one connection serves mints one after the other', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => socket.write(tokenAnswer()));
  const { client } = clientUnderTest(t, { baseUrl: upstream.url, connections: 1 });
  for (let i = 0; i < 5; i++) await client.mint(WISH);
  t.equal(upstream.requests.length, 5);
  t.equal(upstream.connections, 1);
});

test('1,000 mints at once: all succeed, upstream sees no more at a time than the pool has connections', async (t) => {
  let open = 0;
  let most = 0;
  const upstream = await upstreamThat(t, ({ socket, number }) => {
    open += 1;
    most = Math.max(most, open);
    setImmediate(() => {
      open -= 1;
      socket.write(tokenAnswer(`token.${number}`));
    });
  });
  const { client } = clientUnderTest(t, { baseUrl: upstream.url, connections: 8, deadlineMs: 30_000 });
  const minting = Array.from({ length: 1_000 }, () => client.mint(WISH));
  t.match(client.health, { running: 8, waiting: 992 });
  const answers = await Promise.all(minting);
  t.equal(new Set(answers.map(({ token }) => token)).size, 1_000, 'every caller has a token of its own');
  t.equal(upstream.requests.length, 1_000);
  t.ok(most <= 8, `${most} at once`);
  t.ok(upstream.connections <= 8, `${upstream.connections} connections`);
  t.match(client.health, { running: 0, waiting: 0, breaker: 'closed' });
});

test('an invalid wish never reaches upstream', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => socket.write(tokenAnswer()));
  const { client } = clientUnderTest(t, { baseUrl: upstream.url });
  const wishes: TokenWish[] = [
    { ...WISH, grants: [] },
    { ...WISH, expiresInSeconds: 0 },
    { ...WISH, expiresInSeconds: 3_601 },
    { ...WISH, version: '2026-02-30' },
    { ...WISH, version: '2026-03-01\r\nx: y' },
  ];
  for (const wish of wishes) t.equal((await problemOf(t, client.mint(wish))).code, 'internal_error');
  t.equal(upstream.connections, 0);
});

test('without a key nothing is sent', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => socket.write(tokenAnswer()));
  const { client } = clientUnderTest(t, { baseUrl: upstream.url, apiKeys: [] });
  t.equal((await problemOf(t, client.mint(WISH))).code, 'internal_error');
  t.equal(upstream.connections, 0);
});

test('a refused key raises an alarm and the others carry on', async (t) => {
  const upstream = await upstreamThat(t, ({ socket, head }) =>
    socket.write(head.includes('Bearer key-bad') ? jsonAnswer('401 Unauthorized', '{}') : tokenAnswer()),
  );
  const apiKeys = [new Secret('key-bad'), new Secret('key-good'), new Secret('key-fine')];
  const { client, events } = clientUnderTest(t, { baseUrl: upstream.url, apiKeys });
  const problem = await problemOf(t, client.mint(WISH));
  t.equal(problem.code, 'upstream_rejected');
  t.equal(problem.status, 502, 'never a 401: the caller’s credential was fine');
  t.strictSame(
    events.filter(({ type }) => type === 'key_rejected'),
    [{ type: 'key_rejected', position: 1, status: 401, keysWorking: 2 }],
  );
  for (let i = 0; i < 6; i++) await client.mint(WISH);
  t.equal(upstream.requests.filter(({ head }) => head.includes('key-bad')).length, 1);
  t.equal(upstream.requests.filter(({ head }) => head.includes('key-good')).length, 3);
  t.match(client.health.keys, { working: 2, total: 3 });
  t.equal(client.health.breaker, 'closed');
});

test('a key that is refused after it was replaced raises no alarm: its place is its successor’s', async (t) => {
  const ring = createKeyRing([new Secret('key-old')], { now: () => 0 });
  const upstream = await upstreamThat(t, ({ socket }) => {
    ring.renew([new Secret('key-new')]);
    socket.write(jsonAnswer('401 Unauthorized', '{}'));
  });
  const alarms: UpstreamEvent[] = [];
  const keys = { ring, keyRefused: createKeyAlarm(ring, (event) => alarms.push(event)) };
  const { client } = clientUnderTest(t, { baseUrl: upstream.url }, { keys });
  t.equal((await problemOf(t, client.mint(WISH))).code, 'upstream_rejected');
  t.strictSame(alarms, []);
  t.match(client.health.keys, { working: 1, total: 1 });
});

test('the HTTP client can be loaded in advance, and upstream does not notice', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => socket.write(tokenAnswer()));
  const { client } = clientUnderTest(t, { baseUrl: upstream.url });
  await client.load();
  t.equal(upstream.connections, 0);
  await client.mint(WISH);
  t.equal(upstream.connections, 1);
});

test('a failing upstream opens the circuit: callers are refused at once and told when to come back', async (t) => {
  const clock = { ms: 1_000 };
  let isBroken = true;
  const upstream = await upstreamThat(t, ({ socket }) =>
    socket.write(isBroken ? jsonAnswer('503 Service Unavailable', '{}') : tokenAnswer()),
  );
  const { client, events } = clientUnderTest(t, { baseUrl: upstream.url }, { now: () => clock.ms, random: () => 0 });
  for (let i = 0; i < FAILURES_TO_OPEN; i++)
    t.equal((await problemOf(t, client.mint(WISH))).code, 'upstream_unavailable');
  t.equal(client.health.breaker, 'open');
  const refused = await problemOf(t, client.mint(WISH));
  t.equal(refused.code, 'upstream_unavailable');
  t.equal(refused.details.retryAfterSeconds, 1);
  t.equal(upstream.requests.length, FAILURES_TO_OPEN, 'not asked');

  isBroken = false;
  clock.ms += 1_000;
  const probe = client.mint(WISH);
  t.equal((await problemOf(t, client.mint(WISH))).code, 'upstream_unavailable', 'one probe at a time');
  await probe;
  await client.mint(WISH);
  t.equal(upstream.requests.length, FAILURES_TO_OPEN + 2);
  t.strictSame(
    events.filter(({ type }) => type === 'breaker' || type === 'shed'),
    [
      { type: 'breaker', state: 'open' },
      { type: 'shed', reason: 'breaker' },
      { type: 'breaker', state: 'half-open' },
      { type: 'shed', reason: 'breaker' },
      { type: 'breaker', state: 'closed' },
    ],
  );
});

test('an answer that arrived in time but lies unread while this process is busy is not a timeout', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => {
    socket.write(tokenAnswer());
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
  });
  const { client } = clientUnderTest(t, { baseUrl: upstream.url, deadlineMs: 400 });
  await client.load();
  for (let n = 0; n < 6; n += 1) t.ok((await client.mint(WISH)).token);
  t.equal(client.health.breaker, 'closed');
});

test('when the circuit opens, calls in line fail at once', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => socket.write(jsonAnswer('500 Oops', '{}')));
  const { client } = clientUnderTest(t, { baseUrl: upstream.url, connections: 1, deadlineMs: 10_000 });
  const problems = await Promise.all(Array.from({ length: 100 }, () => problemOf(t, client.mint(WISH))));
  t.ok(problems.every(({ code }) => code === 'upstream_unavailable'));
  t.equal(upstream.requests.length, FAILURES_TO_OPEN);
  t.match(client.health, { breaker: 'open', running: 0, waiting: 0 });
});

test('answers that show that upstream is alive do not open the circuit', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => socket.write(jsonAnswer('429 Slow', '{}')));
  const { client } = clientUnderTest(t, { baseUrl: upstream.url });
  for (let i = 0; i < 2 * FAILURES_TO_OPEN; i++) t.equal((await problemOf(t, client.mint(WISH))).code, 'rate_limited');
  t.equal(client.health.breaker, 'closed');
});

test('a call that cannot have its turn in time is refused at once, with a hint when to retry', async (t) => {
  const upstream = await upstreamThat(t, ({ socket }) => socket.write(tokenAnswer()));
  const clock = { ms: 0 };
  const { client, events } = clientUnderTest(
    t,
    { baseUrl: upstream.url, connections: 1, deadlineMs: 4_000 },
    // Each reading of the clock is 1.5 s later, so upstream seems slow.
    { now: () => (clock.ms += 1_500) },
  );
  await client.mint(WISH);
  const running = client.mint(WISH);
  const problem = await problemOf(t, client.mint(WISH));
  t.equal(problem.code, 'overloaded');
  t.equal(problem.status, 503);
  t.equal(problem.details.retryAfterSeconds, 1);
  await running;
  t.match(
    events.filter(({ type }) => type === 'shed'),
    [{ type: 'shed', reason: 'queue' }],
  );
});

test('a call that waits in line until its deadline gets a 504, and upstream is not asked in vain', async (t) => {
  const upstream = await upstreamThat(t, () => {});
  const { client, events } = clientUnderTest(t, { baseUrl: upstream.url, connections: 1, deadlineMs: 200 });
  const problems = await Promise.all([1, 2, 3].map(() => problemOf(t, client.mint(WISH))));
  t.strictSame(
    problems.map(({ code, details }) => [code, details.cause instanceof Error && details.cause.message]),
    [
      ['upstream_timeout', 'deadline: 200 ms'],
      ['upstream_timeout', 'deadline: 200 ms in line'],
      ['upstream_timeout', 'deadline: 200 ms in line'],
    ],
  );
  t.equal(upstream.requests.length, 1);
  t.equal(events.length, 1, 'one attempt');
  t.match(client.health, { running: 0, waiting: 0, breaker: 'closed' });
});

test('a call whose turn comes too late for a call of usual length is not sent: its timeout would look like a failure of upstream', async (t) => {
  const clock = { ms: 0 };
  const lengths = [3_000, 8_000, 3_000];
  const upstream = await upstreamThat(t, ({ socket, number }) => {
    clock.ms += lengths[number - 1] ?? 0;
    socket.write(tokenAnswer());
  });
  const { client } = clientUnderTest(
    t,
    { baseUrl: upstream.url, connections: 1, deadlineMs: 10_000 },
    { now: () => clock.ms },
  );
  await client.mint(WISH);
  const running = client.mint(WISH);
  const problem = await problemOf(t, client.mint(WISH));
  t.match([problem.code, problem.details.cause], ['upstream_timeout', { message: 'deadline: 10000 ms in line' }]);
  await running;
  t.equal(upstream.requests.length, 2);
  t.match(client.health, { running: 0, waiting: 0, breaker: 'closed' });
  await client.mint(WISH);
});

test('an HTTP client that cannot be set up is our fault, not upstream’s', async (t) => {
  const { client } = clientUnderTest(t, { baseUrl: 'ftp://127.0.0.1' });
  for (let i = 0; i < 6; i++) {
    const problem = await problemOf(t, client.mint(WISH));
    t.equal(problem.code, 'internal_error');
    t.match(problem.details.cause, { kind: 'internal', code: 'UND_ERR_INVALID_ARG' });
  }
  await client.load(); // does not reject either
  t.match(client.health, { breaker: 'closed', running: 0 });
});

test('a listener that throws costs no caller its answer and no slot', async (t) => {
  const upstream = await upstreamThat(t, ({ socket, number }) =>
    socket.write(number % 2 === 0 ? tokenAnswer() : jsonAnswer('429 Slow', '{}')),
  );
  const client = createTokenClient(settings({ baseUrl: upstream.url, connections: 1 }), {
    onEvent: () => {
      throw new Error('a metric that fails');
    },
  });
  t.teardown(() => client.close());
  for (let i = 0; i < 3; i++) {
    t.equal((await problemOf(t, client.mint(WISH))).code, 'rate_limited');
    t.match(await client.mint(WISH), { token: String });
  }
  t.match(client.health, { running: 0, waiting: 0 });
});

test('a test or a proxy can supply its own pool instead of ours', async (t) => {
  const { MockAgent } = await import('undici');
  const agent = new MockAgent();
  agent.disableNetConnect();
  t.teardown(() => agent.close());
  const pool = agent.get('https://api.cartesia.ai');
  pool.intercept({ path: '/access-token', method: 'POST' }).reply(200, { token: 'mocked.token' });
  const { client } = clientUnderTest(t, { baseUrl: 'https://api.cartesia.ai' }, { dispatcher: pool });
  t.match(await client.mint(WISH), { token: 'mocked.token', requestId: null });
  agent.assertNoPendingInterceptors();
});

test('close ends running calls, waiting calls and every connection', async (t) => {
  const upstream = await upstreamThat(t, () => {});
  const { client } = clientUnderTest(t, { baseUrl: upstream.url, connections: 2, deadlineMs: 30_000 });
  const minting = Array.from({ length: 5 }, () => problemOf(t, client.mint(WISH)));
  await upstream.untilRequests(2);
  const gone = [...upstream.sockets].map((socket) => once(socket, 'close'));
  await client.close();
  for (const problem of await Promise.all(minting)) t.equal(problem.code, 'draining');
  await Promise.all(gone);
  t.equal((await problemOf(t, client.mint(WISH))).code, 'draining', 'no new call is accepted');
  await client.close();
  t.match(client.health, { running: 0, waiting: 0 });
});
