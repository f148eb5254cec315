// The console in a real Chromium, as an operator uses it.
import { randomBytes } from 'node:crypto';
import type { Page } from 'playwright-core';
import { type Test, test } from 'tap';
import { type CarryingBroker, open, SPEECH, send, startCarrying } from './carried-broker.ts';
import { startChromium } from './chromium.ts';
import { until } from './limits-answers.ts';
import { startPageServer } from './page-server.ts';

/** Printable ASCII, as every subject, and a test of the pages: markup if it is not escaped. */
const SUBJECT = `"><script>document.title='run'</script>`;

interface Operated extends CarryingBroker {
  readonly page: Page;
  readonly adminToken: string;
}

async function setUp(t: Test, env: Readonly<Record<string, string>> = {}): Promise<Operated> {
  const adminToken = randomBytes(24).toString('hex');
  const running = await startCarrying(t, { env: { ADMIN_TOKEN: adminToken, ...env }, client: { trusted: true } });
  running.watch.add({ name: 'admin token', value: adminToken });
  const browser = await startChromium(t);
  const context = await browser.newContext({ httpCredentials: { username: 'ops', password: adminToken } });
  return { ...running, adminToken, page: await context.newPage() };
}

/** A token of the subject, from its app's backend. */
async function tokenOf({ broker, appKey }: CarryingBroker): Promise<string> {
  const headers = { 'x-broker-subject': SUBJECT };
  const answer = await send(`${broker.url}/access-token`, { credential: appKey, headers, json: {} });
  return (JSON.parse(answer.body.toString()) as { readonly token: string }).token;
}

const speak = ({ broker }: CarryingBroker, credential: string) =>
  send(`${broker.url}/tts/bytes`, { credential, json: SPEECH });

test('the operator sees who uses the account, and ends a session', async (t) => {
  const running = await setUp(t, { TTS_CONCURRENCY: '3' });
  const { page, broker, simulator } = running;
  const token = await tokenOf(running);
  simulator.configure({ latency: { perChunkMs: 10_000 } });
  const speech = await open(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
  const cut = new Promise((resolve) => speech.once('error', resolve));
  speech.resume();

  await page.goto(`${broker.managementUrl}/console`);
  const row = page.getByRole('row', { name: /^speech 1 3 0/ });
  await row.waitFor({ timeout: 5_000 });
  t.equal(await page.getByRole('cell', { name: SUBJECT, exact: true }).count(), 1, 'its holder');
  t.match(await page.locator('main').textContent(), /state\s*ready\s*redis\s*up\s.*breaker\s*closed/s);

  await page.getByRole('link', { name: 'Sessions' }).click();
  t.equal(await page.getByRole('cell', { name: '/tts/bytes' }).count(), 1);
  await page.getByLabel('Subject').fill('somebody else');
  await page.getByRole('button', { name: 'Show' }).click();
  t.match(await page.locator('main').textContent(), /Nothing is being carried/);
  await page.getByLabel('Subject').fill(SUBJECT);
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByRole('button', { name: /^End session/ }).click();
  t.equal(await page.getByRole('status').textContent(), 'The session has been ended.');
  t.match(await cut, Error, 'the client notices');
  t.match(await page.locator('main').textContent(), /Nothing is being carried/);
  t.not(await page.title(), 'run', 'a subject is text');

  await until(() => running.logs.some((line) => line['route'] === '/console/sessions/end'));
  t.match(
    running.logs.filter((line) => line['route'] === '/console/sessions/end'),
    [{ audit: 'admin', outcome: 'ok', method: 'POST', status: 303, session: /^[\da-f-]{36}$/ }],
    'and the audit line says it',
  );
});

test('the operator shuts a user out, and lets it in again', async (t) => {
  const running = await setUp(t);
  const { page, broker } = running;
  const token = await tokenOf(running);
  t.equal((await speak(running, token)).status, 200);
  const about = new URLSearchParams({ client: 'kiosk', subject: SUBJECT });
  await page.goto(`${broker.managementUrl}/console/revocations?${about}`);
  t.match(await page.locator('main').textContent(), /Nobody is shut out/);
  await page.getByRole('button', { name: 'Revoke the subject' }).click();
  t.equal(await page.getByRole('status').textContent(), 'Revoked.');
  t.equal(await page.getByRole('cell', { name: `subject ${SUBJECT} of kiosk`, exact: true }).count(), 1);
  t.equal((await speak(running, token)).status, 403);
  t.equal((await speak(running, running.token)).status, 200, 'nobody else is');

  await page.getByRole('button', { name: 'Restore' }).click();
  t.equal(await page.getByRole('status').textContent(), 'Restored.');
  t.equal((await speak(running, token)).status, 200);

  await page.getByRole('link', { name: 'Usage' }).click();
  const cells = await page.getByRole('row', { name: SUBJECT }).getByRole('cell').allTextContents();
  t.strictSame(cells.slice(0, 4), ['kiosk', SUBJECT, '2', '88'], 'two sentences of 44 characters');
});

test('a mistake is answered with a page that names it', async (t) => {
  const { page, broker } = await setUp(t);
  await page.goto(`${broker.managementUrl}/console/revocations`);
  await page.getByLabel('Id of an access token').fill('not-an-id');
  await page.getByRole('button', { name: 'Revoke the token' }).click();
  t.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'Invalid request');
  t.match(await page.locator('main').textContent(), /The field "token" must be the id/);
});

test('a page of another origin cannot make the browser of an operator revoke', async (t) => {
  const running = await setUp(t);
  const { page, broker } = running;
  await page.goto(`${broker.managementUrl}/console`); // from now on the browser knows the password
  await page.goto(await startPageServer(t));
  await page.setContent(`<form method="post" action="${broker.managementUrl}/console/revocations">
    <input name="scope" value="everything"><button>Win a prize</button></form>`);
  await page.getByRole('button').click();
  await page.waitForURL(/\/console\/revocations$/);
  t.match(await page.locator('main').textContent(), /Only the pages of the console may send this/);
  t.equal((await speak(running, running.token)).status, 200, 'nobody is shut out');
});

test('without the admin token the browser asks for it', async (t) => {
  const { broker, adminToken } = await setUp(t);
  const ask = (authorization?: string) =>
    send(`${broker.managementUrl}/console`, { headers: authorization === undefined ? {} : { authorization } });
  const basic = (password: string): string => `Basic ${Buffer.from(`ops:${password}`).toString('base64')}`;
  for (const wrong of [undefined, basic(''), basic(`${adminToken}x`), `Bearer ${adminToken}`]) {
    const { status, headers, body } = await ask(wrong);
    t.match({ status, headers }, { status: 401, headers: { 'www-authenticate': /^Basic realm="/ } });
    t.notMatch(body.toString(), /This replica/);
  }
  const { status, headers } = await ask(basic(adminToken));
  t.match(
    { status, headers },
    {
      status: 200,
      headers: {
        'cache-control': 'no-store',
        'content-security-policy': /default-src 'none'.*frame-ancestors 'none'/,
        'referrer-policy': 'same-origin',
      },
    },
  );
});
