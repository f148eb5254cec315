import { setImmediate as turn } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { BrokerError, createTokenSource, type TokenSource, type TokenSourceOptions } from '../../src/client/index.ts';
import { minted, refused, type ScriptedAnswer, type ScriptedBroker, startScriptedBroker } from './scripted-broker.ts';

interface Given {
  readonly broker: ScriptedBroker;
  readonly source: TokenSource;
  /** Advances the device's clock. */
  readonly pass: (seconds: number) => void;
}

async function given(t: Test, options: Partial<TokenSourceOptions> = {}): Promise<Given> {
  const broker = await startScriptedBroker(t);
  let shift = 0;
  const real = Date.now;
  t.intercept(Date, 'now', { value: () => real() + shift });
  return {
    broker,
    source: createTokenSource({ brokerUrl: broker.url, credential: 'session', ...options }),
    pass(seconds) {
      shift += seconds * 1000;
    },
  };
}

const tokenOf = async (source: TokenSource): Promise<string> => (await source.get()).token;

async function failure(promise: Promise<unknown>): Promise<BrokerError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof BrokerError) return error;
  throw new Error('not a BrokerError', { cause: error });
}

test('a token is fetched once, and used until the next one is due', async (t) => {
  const { broker, source, pass } = await given(t, { grants: { tts: true }, expiresIn: 300 });
  broker.answer(minted('one'));
  const before = Date.now();
  const access = await source.get();
  t.match(access, {
    token: 'one',
    baseURL: 'https://voice.example.com',
    websocketURL: 'wss://voice.example.com',
    grants: { tts: true, stt: false, agent: false },
    delivery: 'proxied',
  });
  t.ok(access.expiresAt >= before + 300_000 && access.expiresAt <= Date.now() + 300_000, "by this device's clock");
  pass(200);
  t.equal(await source.get(), access);
  t.equal(broker.asked.length, 1);
  t.match(broker.asked[0], {
    method: 'POST',
    url: '/access-token',
    headers: { authorization: 'Bearer session', 'content-type': 'application/json' },
    body: '{"grants":{"tts":true},"expires_in":300}',
  });
});

test('without options the request body is empty, and without a credential no header is sent', async (t) => {
  const broker = await startScriptedBroker(t);
  broker.answer(minted('one'));
  await createTokenSource({ brokerUrl: `${broker.url}//` }).get();
  t.equal(broker.asked[0]?.url, '/access-token', 'trailing slashes in the address do no harm');
  t.equal(broker.asked[0]?.body, '{}');
  t.notOk('authorization' in (broker.asked[0]?.headers ?? {}));
});

test('simultaneous callers get the same token', async (t) => {
  const { broker, source } = await given(t);
  broker.answer(minted('one'));
  t.strictSame(new Set(await Promise.all(Array.from({ length: 20 }, () => tokenOf(source)))), new Set(['one']));
  t.equal(broker.asked.length, 1);
});

test('once a refresh is due, the old token is still handed out while the next one is fetched', async (t) => {
  const { broker, source, pass } = await given(t);
  broker.answer(minted('one'), minted('two'));
  await source.get();
  pass(240);
  t.equal(await tokenOf(source), 'one', 'nobody waits');
  while ((await tokenOf(source)) === 'one') await turn();
  t.equal(await tokenOf(source), 'two');
  t.equal(broker.asked.length, 2);
});

test('a token close to its expiry is no longer handed out', async (t) => {
  const { broker, source, pass } = await given(t);
  broker.answer(minted('one'), minted('two'));
  await source.get();
  pass(291);
  t.equal(await tokenOf(source), 'two');
});

test("setting the clock back does not change a token's lifetime", async (t) => {
  const { broker, source, pass } = await given(t);
  broker.answer(minted('one'));
  await source.get();
  pass(-86_400);
  t.equal(await tokenOf(source), 'one');
  t.equal(broker.asked.length, 1);
});

test('a failed refresh is not reported, and is retried only after a pause', async (t) => {
  const { broker, source, pass } = await given(t);
  broker.answer(minted('one'), refused(401, 'unauthenticated'), minted('two'));
  await source.get();
  pass(240);
  t.equal(await tokenOf(source), 'one');
  await broker.untilAsked(2);
  await turn();
  for (let n = 0; n < 20; n += 1) {
    t.equal(await tokenOf(source), 'one');
    await turn();
  }
  t.equal(broker.asked.length, 2);
  pass(6);
  while ((await tokenOf(source)) === 'one') await turn();
  t.equal(broker.asked.length, 3);
});

test('a credential function is called before each mint', async (t) => {
  let calls = 0;
  const { broker, source, pass } = await given(t, {
    credential: async () => {
      calls += 1;
      return `session-${calls}`;
    },
  });
  broker.answer(minted('one'), minted('two'));
  await source.get();
  pass(300);
  await source.get();
  t.strictSame(
    broker.asked.map(({ headers }) => headers.authorization),
    ['Bearer session-1', 'Bearer session-2'],
  );
});

test('an error thrown by the credential function reaches the caller, and the broker is not called', async (t) => {
  const signedOut = new Error('signed out');
  const { broker, source } = await given(t, {
    credential: () => {
      throw signedOut;
    },
  });
  await t.rejects(source.get(), signedOut);
  t.equal(broker.asked.length, 0);
});

for (const [status, code] of [
  [401, 'unauthenticated'],
  [403, 'grant_not_allowed'],
  [402, 'quota_exceeded'],
] as const) {
  test(`${status}: reported at once with all details; the next get() asks again`, async (t) => {
    const { broker, source } = await given(t);
    broker.answer(refused(status, code), minted('one'));
    t.match(await failure(source.get()), {
      name: 'BrokerError',
      message: `Because of ${code}.`,
      status,
      code,
      requestId: 'id-1',
      isRetryable: false,
      retryAfterSeconds: null,
    });
    t.equal(broker.asked.length, 1);
    t.equal(await tokenOf(source), 'one');
  });
}

test('503 and 429 are retried when the broker says', async (t) => {
  const { broker, source } = await given(t);
  const soon = { 'x-should-retry': 'true', 'retry-after': '0' };
  broker.answer(refused(503, 'draining', soon), refused(429, 'rate_limited', soon), minted('one'));
  t.equal(await tokenOf(source), 'one');
  t.equal(broker.asked.length, 3);
});

test('two retries are made, after a pause of their own if the broker names none, and then the error is reported', async (t) => {
  const { broker, source } = await given(t);
  const soon = { 'retry-after': '0' };
  const answers = [{}, soon, soon].map((headers) => refused(503, 'overloaded', headers));
  broker.answer(...answers, minted('for nobody'));
  const began = performance.now();
  t.match(await failure(source.get()), { status: 503, code: 'overloaded', isRetryable: true });
  t.ok(performance.now() - began > 370, 'half a second, minus a quarter at most');
  t.equal(broker.asked.length, 3);
});

/** A `fetch` that gives these responses in order, at once and without a network. */
function scripted(answers: readonly ScriptedAnswer[]): { readonly fetch: typeof fetch; readonly calls: () => number } {
  let calls = 0;
  return {
    calls: () => calls,
    fetch: async () => {
      const { status = 200, headers = {}, body } = answers[calls] ?? { body: 'no response is left' };
      calls += 1;
      return Response.json(body, { status, headers });
    },
  };
}

test('pauses of its own grow to eight seconds, and every retry that was asked for is made', async (t) => {
  const refusals = Array.from({ length: 8 }, () => refused(503, 'overloaded', {}));
  const { fetch, calls } = scripted([...refusals, minted('one')]);
  const pauses: number[] = [];
  const real = setTimeout;
  t.intercept(globalThis, 'setTimeout', {
    value(callback: () => void, ms: number) {
      if (Number.isInteger(ms)) return real(callback, ms); // another timer of this process: pauses are random
      pauses.push(ms);
      return real(callback, 0);
    },
  });
  const source = createTokenSource({ brokerUrl: 'https://voice.example.com', maxRetries: 8, fetch });
  t.equal(await tokenOf(source), 'one');
  t.equal(calls(), 9);
  const longest = [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000];
  t.strictSame(
    pauses.map((pause, n) => pause <= (longest[n] ?? 0) && pause >= (longest[n] ?? 0) * 0.75),
    longest.map(() => true),
    pauses.join(', '),
  );
});

test('whether and when to retry follows the response headers, and without them the status', async (t) => {
  const broker = await startScriptedBroker(t);
  const cases: readonly [number, Record<string, string>, Partial<BrokerError>][] = [
    [400, {}, { isRetryable: false, retryAfterSeconds: null }],
    [408, {}, { isRetryable: true }],
    [429, {}, { isRetryable: true }],
    [499, {}, { isRetryable: false }],
    [500, {}, { isRetryable: true }],
    [400, { 'x-should-retry': 'true' }, { isRetryable: true }],
    [503, { 'x-should-retry': 'false' }, { isRetryable: false }],
    [503, { 'x-should-retry': 'perhaps' }, { isRetryable: true }],
    [503, { 'retry-after': '7' }, { retryAfterSeconds: 7 }],
    [503, { 'retry-after': '7.5' }, { retryAfterSeconds: null }],
    [503, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }, { retryAfterSeconds: null }],
    [502, { 'x-request-id': 'id-2' }, { requestId: 'id-2' }],
  ];
  for (const [status, headers, expected] of cases) {
    broker.answer({ status, headers, body: '<html>' });
    const source = createTokenSource({ brokerUrl: broker.url, maxRetries: 0 });
    t.match(await failure(source.get()), { status, ...expected }, `${status} ${JSON.stringify(headers)}`);
  }
});

test('a long wait is reported at once, and the broker is left alone until it is over', async (t) => {
  const { broker, source, pass } = await given(t);
  broker.answer(refused(429, 'rate_limited', { 'x-should-retry': 'true', 'retry-after': '45' }), minted('one'));
  const error = await failure(source.get());
  t.match(error, { status: 429, isRetryable: true, retryAfterSeconds: 45 });
  pass(30);
  t.equal(await failure(source.get()), error);
  t.equal(broker.asked.length, 1);
  pass(20);
  t.equal(await tokenOf(source), 'one');
});

test('a wait that the broker asked for outlasts a refused token, but not its user', async (t) => {
  const wait = refused(429, 'rate_limited', { 'x-should-retry': 'true', 'retry-after': '45' });
  const { fetch, calls } = scripted([minted('one'), wait, minted('two')]);
  const { source, pass } = await given(t, { fetch });
  await source.get();
  pass(240);
  t.equal(await tokenOf(source), 'one');
  while (calls() < 2) await turn();
  await turn();
  source.drop('one');
  t.match(await failure(source.get()), { status: 429, retryAfterSeconds: 45 });
  t.equal(calls(), 2);
  source.drop();
  t.equal(await tokenOf(source), 'two');
});

test('a token that expired while the device slept during its mint is not handed out', async (t) => {
  const { broker, source, pass } = await given(t);
  const { promise: after, resolve: wakeUp } = Promise.withResolvers<void>();
  broker.answer({ ...minted('one'), after }, minted('two'));
  const waiting = tokenOf(source);
  await broker.untilAsked(1);
  pass(3600);
  wakeUp();
  t.equal(await waiting, 'two');
  t.equal(broker.asked.length, 2);
});

test('without a retry left, a token that arrives expired is an error', async (t) => {
  const { broker, source } = await given(t, { maxRetries: 0 });
  broker.answer(minted('one', { expires_in: 0, refresh_in: 0 }));
  t.match(await failure(source.get()), {
    status: 200,
    message: 'The token had expired when it arrived.',
    isRetryable: true,
  });
});

test('a gateway that answers in place of the broker is an error with its status', async (t) => {
  const { broker, source } = await given(t, { maxRetries: 0 });
  broker.answer({ status: 502, body: '<html>Bad gateway' }, { status: 404, body: 'no' }, { body: '<html>Sign in' });
  t.match(await failure(source.get()), { status: 502, code: null, isRetryable: true });
  t.match(await failure(source.get()), { status: 404, code: null, isRetryable: false });
  t.match(await failure(source.get()), {
    status: 200,
    message: 'What answers there is no broker.',
    isRetryable: false,
  });
});

test('Cartesia in place of the broker is recognized: its answer does not say how long a token is valid', async (t) => {
  const { broker, source } = await given(t);
  broker.answer({ body: { token: 'theirs' } });
  t.match(await failure(source.get()), { status: 200, message: 'What answers there is no broker.' });
});

test("an answer without a field that apps need is not a broker's", async (t) => {
  const { broker, source } = await given(t);
  const wrong = { token: 7, expires_in: '300', refresh_in: '240', base_url: null, websocket_url: null };
  const answers = Object.entries(wrong).flatMap(([field, value]) => [{ [field]: value }, { [field]: undefined }]);
  for (const answer of [...answers.map((more) => minted('one', more)), { body: 'null' }, { body: '"one"' }]) {
    broker.answer(answer);
    t.match(await failure(source.get()), { status: 200, message: 'What answers there is no broker.' });
  }
});

test('a direct token keeps its delivery, and unknown or missing grants are false', async (t) => {
  const { broker, source } = await given(t);
  broker.answer(
    minted('one', { delivery: 'direct', grants: { tts: false, stt: true } }),
    minted('two', { grants: null }),
  );
  t.match(await source.get(), { delivery: 'direct', grants: { tts: false, stt: true, agent: false } });
  source.drop();
  t.match(await source.get(), { delivery: 'proxied', grants: { tts: false, stt: false, agent: false } });
});

test('being offline is an error without a status, and works again once online', async (t) => {
  const source = createTokenSource({
    brokerUrl: 'http://127.0.0.1:1',
    maxRetries: 0,
    fetch: (...request) => wire(...request),
  });
  let wire: typeof fetch = async () => {
    throw new TypeError('Failed to fetch');
  };
  t.match(await failure(source.get()), { status: 0, message: 'The broker was not reached.', isRetryable: true });
  const broker = await startScriptedBroker(t);
  broker.answer(minted('one'));
  wire = (_url, init) => fetch(`${broker.url}/access-token`, init);
  t.equal(await tokenOf(source), 'one');
});

test('a broker that does not answer is given up on', async (t) => {
  const { source } = await given(t, { timeout: 20, maxRetries: 0 });
  t.match(await failure(source.get()), { status: 0, message: 'The broker did not answer within 20 ms.' });
});

test('a time limit beyond what timers can hold is no limit, not an immediate one', async (t) => {
  for (const timeout of [Infinity, 2 ** 31]) {
    const { broker, source } = await given(t, { timeout, maxRetries: 0 });
    broker.answer(minted('one'));
    t.equal(await tokenOf(source), 'one', String(timeout));
  }
});

test('an aborted caller stops waiting, and the next caller gets the token in progress', async (t) => {
  const { broker, source } = await given(t);
  const { promise: after, resolve: release } = Promise.withResolvers<void>();
  broker.answer({ ...minted('one'), after });
  const controller = new AbortController();
  const waiting = source.get({ signal: controller.signal });
  await broker.untilAsked(1);
  const reason = new Error('the page is left');
  controller.abort(reason);
  await t.rejects(waiting, reason);
  await t.rejects(source.get({ signal: controller.signal }), reason, 'and an already aborted caller asks for nothing');
  const patient = tokenOf(source);
  release();
  t.equal(await patient, 'one');
  t.equal(broker.asked.length, 1);
});

test('a caller that is aborted by the credential function stops waiting, too', async (t) => {
  const controller = new AbortController();
  const reason = new Error('signed out');
  const { broker, source } = await given(t, {
    credential() {
      controller.abort(reason);
      return 'session';
    },
  });
  broker.answer(minted('one'));
  await t.rejects(source.get({ signal: controller.signal }), reason);
  t.equal(await tokenOf(source), 'one');
  t.equal(broker.asked.length, 1);
});

test('a dropped token is not handed out again', async (t) => {
  const { broker, source } = await given(t);
  broker.answer(minted('one'), minted('two'));
  await source.get();
  source.drop('another');
  t.equal(await tokenOf(source), 'one', 'only the named one is dropped');
  source.drop('one');
  t.equal(await tokenOf(source), 'two');
});

test('when a token is refused while the next one is under way, no other is fetched', async (t) => {
  const { broker, source, pass } = await given(t);
  const { promise: after, resolve: release } = Promise.withResolvers<void>();
  broker.answer(minted('one'), { ...minted('two'), after }, minted('for nobody'));
  await source.get();
  pass(240);
  await source.get();
  await broker.untilAsked(2);
  source.drop('one');
  const waiting = tokenOf(source);
  release();
  t.equal(await waiting, 'two');
  t.equal(broker.asked.length, 2);
});

test('a token in progress for the previous user is not kept for the next one', async (t) => {
  let user = 'alice';
  const { broker, source } = await given(t, { credential: () => user });
  const { promise: after, resolve: release } = Promise.withResolvers<void>();
  broker.answer({ ...minted('of alice'), after }, minted('of bob'));
  const first = tokenOf(source);
  await broker.untilAsked(1);
  user = 'bob';
  source.drop();
  t.equal(await tokenOf(source), 'of bob');
  release();
  t.equal(await first, 'of alice', 'the caller that asked for it gets it');
  t.equal(await tokenOf(source), 'of bob');
});
