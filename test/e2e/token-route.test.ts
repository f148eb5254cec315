// The example of a token route in one's own backend: a page with only a session cookie, in a real Chromium, its backend, and the broker.
import Fastify, { type FastifyRequest } from 'fastify';
import type { Page } from 'playwright-core';
import { type Test, test } from 'tap';
import { createTokenRoute } from '../../examples/token-route/route.ts';
import { SPEECH } from './carried-broker.ts';
import { startChromium } from './chromium.ts';
import { bundleHelper } from './helper-bundle.ts';
import { type RunningBroker, startRunningBroker } from './running-broker.ts';

/** What the page has besides the usual globals. */
interface InPage {
  readonly helper: typeof import('../../src/client/index.ts');
}

interface App extends RunningBroker {
  readonly page: Page;
  readonly origin: string;
}

/** The backend listens before the broker starts, since its origin is part of the broker's settings. */
async function startApp(t: Test, client: object = {}): Promise<App> {
  const backend = Fastify();
  t.teardown(() => backend.close());
  let route: ((request: Request) => Promise<Response>) | undefined;
  const asRequest = ({ headers, body }: FastifyRequest): Request =>
    new Request('http://backend', {
      method: 'POST',
      headers: { cookie: headers.cookie ?? '' },
      body: JSON.stringify(body),
    });
  backend.post('/api/access-token', async (request, reply) => reply.send(await route?.(asRequest(request))));
  const script = await bundleHelper();
  backend.get('/', (_request, reply) =>
    reply.type('text/html').send('<!doctype html><script src="/helper.js"></script>'),
  );
  backend.get('/helper.js', (_request, reply) => reply.type('text/javascript').send(script));
  const origin = await backend.listen({ host: '127.0.0.1', port: 0 });

  const running = await startRunningBroker(t, {
    env: { TOKEN_SIGNING_SECRET: 'a-secret-for-this-test-only-of-32-bytes-and-more' },
    file: (digest) => ({
      clients: {
        backend: { trusted: true, auth: { keys: [digest] }, delivery: 'proxied', origins: [origin], ...client },
      },
    }),
  });
  route = createTokenRoute({
    brokerUrl: running.broker.url,
    appKey: running.appKey,
    subjectOf: (request) => /(?:^|; )session=of-(\w+)/.exec(request.headers.get('cookie') ?? '')?.[1] ?? null,
  });
  const context = await (await startChromium(t)).newContext();
  const page = await context.newPage();
  await page.goto(origin);
  return { ...running, page, origin };
}

/** The error that the page gets, or the status of its speech. */
function speak(page: Page, grants: Record<string, boolean> = { tts: true }) {
  return page.evaluate(
    async ({ grants, speech }) => {
      const { createTokenSource } = (globalThis as unknown as InPage).helper;
      const tokens = createTokenSource({ brokerUrl: '/api', grants, maxRetries: 0 });
      try {
        const { token, baseURL } = await tokens.get();
        const answer = await fetch(`${baseURL}/tts/bytes`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify(speech),
        });
        return { status: answer.status, bytes: (await answer.arrayBuffer()).byteLength };
      } catch (error) {
        const { status, code, isRetryable, retryAfterSeconds } = error as InstanceType<
          typeof import('../../src/client/index.ts').BrokerError
        >;
        return { status, code, isRetryable, retryAfterSeconds };
      }
    },
    { grants, speech: SPEECH },
  );
}

test('a page with a session at its own backend speaks, and the broker knows for whom', async (t) => {
  const { page, origin, simulator, logs } = await startApp(t);
  await page.context().addCookies([{ name: 'session', value: 'of-anna', url: origin }]);
  const spoken = await speak(page);
  t.equal(spoken.status, 200);
  t.match(simulator.journal.entries({ path: '/tts/bytes' }), [
    { status: 200, bytesOut: spoken.bytes, headers: { authorization: `Bearer ${simulator.apiKey}` } },
  ]);
  t.match(
    logs.filter(({ route }) => route === '/access-token' || route === '/tts/bytes'),
    [
      { route: '/access-token', status: 200, client: 'backend', method: 'POST' },
      { route: '/tts/bytes', status: 200, client: 'backend', characters: SPEECH.transcript.length },
    ],
  );
});

test('a user who is not signed in gets no token, and the broker is not asked', async (t) => {
  const { page, logs } = await startApp(t);
  t.match(await speak(page), { status: 401, isRetryable: false });
  t.equal(logs.filter(({ route }) => route === '/access-token').length, 0);
});

test('each user has a rate, and a refusal reaches the page with its code and its wait', async (t) => {
  const { page, origin } = await startApp(t, { limits: { mint: '1/hour' } });
  const as = (user: string) => page.context().addCookies([{ name: 'session', value: `of-${user}`, url: origin }]);
  await as('anna');
  t.match(await speak(page), { status: 200 });
  t.match(await speak(page), { status: 429, code: 'rate_limited', isRetryable: true, retryAfterSeconds: 60 });
  await as('bert');
  t.match(await speak(page), { status: 200 });
  await as('carla');
  t.match(await speak(page, { agent: true }), { status: 403, code: 'grant_not_allowed', isRetryable: false });
});

test('without a broker the page gets 502, and may retry', async (t) => {
  const { page, origin, broker } = await startApp(t);
  await page.context().addCookies([{ name: 'session', value: 'of-anna', url: origin }]);
  await broker.stop({ delayMs: 0, idleGraceMs: 5 });
  t.match(await speak(page), { status: 502, isRetryable: true });
});

test('no user, in whatever form the session says so, gets no token', async (t) => {
  const { broker, appKey, logs } = await startRunningBroker(t, {
    file: (digest) => ({ clients: { backend: { trusted: true, auth: { keys: [digest] } } } }),
  });
  for (const nobody of [null, undefined, '']) {
    const route = createTokenRoute({ brokerUrl: broker.url, appKey, subjectOf: () => nobody });
    const answer = await route(new Request('http://backend', { method: 'POST', body: '{}' }));
    t.equal(answer.status, 401, String(nobody));
  }
  t.strictSame(logs, []);
});

test('without its settings the route can be loaded by a build, and fails when it is called', async (t) => {
  const subjectOf = () => 'anna';
  const request = () => new Request('http://backend', { method: 'POST', body: '{}' });
  const message = 'BROKER_URL and BROKER_APP_KEY are needed';
  await t.rejects(createTokenRoute({ brokerUrl: undefined, appKey: 'cb_x', subjectOf })(request()), { message });
  await t.rejects(createTokenRoute({ brokerUrl: 'http://127.0.0.1:8080', appKey: '', subjectOf })(request()), {
    message,
  });
});
