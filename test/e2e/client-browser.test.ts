// The helper for apps in a real Chromium, on a page of another origin than the broker's.
import type { Page } from 'playwright-core';
import { type Test, test } from 'tap';
import type { TokenSource } from '../../src/client/index.ts';
import { startChromium } from './chromium.ts';
import { bundleHelper } from './helper-bundle.ts';
import { type PageBroker, startPageBroker } from './page-broker.ts';
import { startPageServer } from './page-server.ts';

/** What the page has besides the usual globals. */
interface InPage {
  readonly helper: typeof import('../../src/client/index.ts');
  tokens: TokenSource;
}

interface App extends PageBroker {
  readonly page: Page;
  /** One more tab of the same browser. */
  readonly openTab: () => Promise<Page>;
}

async function startApp(t: Test, client: object = {}, isListed = true): Promise<App> {
  const origin = await startPageServer(t, await bundleHelper());
  const running = await startPageBroker(t, isListed ? origin : 'https://app.example.com', client);
  const context = await (await startChromium(t)).newContext();
  const openTab = async (): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(origin);
    return page;
  };
  return { ...running, page: await openTab(), openTab };
}

/** Creates a token source in the page. */
async function begin(page: Page, brokerUrl: string, credential: string): Promise<void> {
  await page.evaluate(
    ([brokerUrl = '', credential = '']) => {
      const here = globalThis as unknown as InPage;
      here.tokens = here.helper.createTokenSource({ brokerUrl, credential, maxRetries: 0 });
    },
    [brokerUrl, credential],
  );
}

/** A token from that source, or the failure. */
function ask(
  page: Page,
): Promise<{ readonly token?: string; readonly status?: number; readonly [field: string]: unknown }> {
  return page.evaluate(async () => {
    const here = globalThis as unknown as InPage;
    return here.tokens.get().then(
      ({ token, baseURL }) => ({ token, baseURL }),
      ({ status, code, isRetryable, retryAfterSeconds }) => ({ status, code, isRetryable, retryAfterSeconds }),
    );
  });
}

test('a page mints for its user, speaks with the token, and goes offline and online again', async (t) => {
  const { broker, page, session } = await startApp(t);
  await begin(page, broker.url, session);
  await page.context().setOffline(true);
  t.match(await ask(page), { status: 0, code: null, isRetryable: true });
  await page.context().setOffline(false);
  const access = await ask(page);
  t.match(access, { token: /^ey/, baseURL: broker.url });
  t.strictSame(await ask(page), access, 'kept');
  const status = await page.evaluate(async () => {
    const { token, baseURL } = await (globalThis as unknown as InPage).tokens.get();
    const speech = await fetch(`${baseURL}/tts/bytes`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model_id: 'sonic-3',
        transcript: 'Hello.',
        voice: { id: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b' },
        output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 },
      }),
    });
    return (await speech.arrayBuffer()).byteLength > 0 ? speech.status : 0;
  });
  t.equal(status, 200);
});

test('two tabs have a token each and share one rate; a refused page knows how long to wait, across origins', async (t) => {
  const { broker, page, openTab, session, logs } = await startApp(t, { limits: { mint: '2/hour' } });
  const other = await openTab();
  for (const tab of [page, other]) await begin(tab, broker.url, session);
  const tokens = [(await ask(page)).token, (await ask(other)).token];
  t.ok(tokens[0] !== undefined && tokens[1] !== undefined && tokens[0] !== tokens[1]);
  await page.evaluate(() => (globalThis as unknown as InPage).tokens.drop());
  const refused = await ask(page);
  t.match(refused, { status: 429, code: 'rate_limited', isRetryable: true, retryAfterSeconds: 60 });
  const mints = (): number => logs.filter(({ route }) => route === '/access-token').length;
  const before = mints();
  t.strictSame(await ask(page), refused);
  t.equal(mints(), before, 'and the broker is not asked in the meantime');
});

test('refusals reach the page with their code', async (t) => {
  const { broker, page, session } = await startApp(t);
  await begin(page, broker.url, `${session}x`);
  t.match(await ask(page), { status: 401, code: 'unauthenticated', isRetryable: false });
  const wish = await page.evaluate(
    async ([brokerUrl = '', credential = '']) => {
      const { createTokenSource } = (globalThis as unknown as InPage).helper;
      const source = createTokenSource({ brokerUrl, credential, grants: { agent: true } });
      return source.get().catch(({ status, code }) => ({ status, code }));
    },
    [broker.url, session],
  );
  t.strictSame(wish, { status: 403, code: 'grant_not_allowed' });
});

test('a page on an unlisted origin cannot tell the refusal from being offline', async (t) => {
  const { broker, page, session } = await startApp(t, {}, false);
  await begin(page, broker.url, session);
  t.match(await ask(page), { status: 0, code: null });
});
