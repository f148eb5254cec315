// Runs the example in examples/browser, unchanged: a real Chromium, a page on another origin, the SDK bundled for pages.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Cartesia } from '@cartesia/cartesia-js';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { type Test, test } from 'tap';
import { type CarryingBroker, SPEECH, untilQuiet } from './carried-broker.ts';
import { startChromium } from './chromium.ts';
import { startPageBroker } from './page-broker.ts';
import { startPageServer } from './page-server.ts';
import type { RunningBroker } from './running-broker.ts';

const EXAMPLE = join(import.meta.dirname, '../../examples/browser/speak.js');

/** A web app's own server, with the example as its script. @returns its origin */
async function startExample(t: Test): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [EXAMPLE],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'voice',
    platform: 'browser',
    absWorkingDir: join(import.meta.dirname, '../..'),
  });
  return startPageServer(t, outputFiles[0]?.text);
}

interface App {
  readonly running: RunningBroker;
  /** A session token of a user. */
  readonly session: string;
  readonly page: Page;
  /** What the page's console printed. */
  readonly complaints: string[];
}

/** @param isListed whether the broker knows the page's origin */
async function startApp(t: Test, isListed: boolean): Promise<App> {
  const origin = await startExample(t);
  const listed = isListed ? origin : 'https://app.example.com';
  const { session, ...running } = await startPageBroker(t, listed, { grants: ['tts', 'stt'] });
  const page = await (await startChromium(t)).newPage();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  await page.goto(origin);
  return { running, session, page, complaints };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('a page on another origin speaks, streams and listens through the broker, byte for byte as at Cartesia', async (t) => {
  const { running, session, page } = await startApp(t, true);
  const { broker, simulator, logs } = running;
  const direct = new Cartesia({ apiKey: simulator.apiKey, baseURL: simulator.url });

  const got = await page.evaluate(
    async ({ url, session, transcript }) => {
      const { voice } = globalThis as unknown as { voice: typeof import('../../examples/browser/speak.js') };
      const cartesia = await voice.connect(url, session);
      const wav = await voice.speak(cartesia, transcript);
      const bytes = new Uint8Array(await wav.arrayBuffer());
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      const events: string[] = [];
      for await (const event of voice.speakInEvents(cartesia, transcript))
        events.push(event.type === 'chunk' ? `chunk ${event.data}` : event.type);
      return {
        baseURL: cartesia.baseURL,
        length: bytes.length,
        sha256: [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
        events,
        heard: await voice.listen(cartesia, wav),
      };
    },
    { url: broker.url, session, transcript: SPEECH.transcript },
  );

  const spoken = new Uint8Array(
    await (
      await direct.tts.generate({
        ...SPEECH,
        output_format: { container: 'wav', encoding: 'pcm_s16le', sample_rate: 24_000 },
      })
    ).arrayBuffer(),
  );
  t.equal(got.baseURL, broker.url);
  t.equal(got.length, spoken.length);
  t.equal(got.sha256, sha256(spoken));
  const events: string[] = [];
  for await (const event of await direct.tts.generateSSE({ ...SPEECH, add_timestamps: true }))
    events.push(event.type === 'chunk' ? `chunk ${event.data}` : event.type);
  t.strictSame(got.events, events);
  t.match(got.heard, /quick brown fox/);

  const lines = logs
    .filter(({ msg }) => msg === 'request')
    .map(({ method, route, status }) => `${method} ${route} ${status}`);
  for (const route of ['/access-token', '/tts/bytes', '/tts/sse', '/stt'])
    t.ok(lines.includes(`POST ${route} 200`), `${route} was answered`);
  t.ok(logs.filter(({ method, status }) => method === 'OPTIONS' && status === 204).length >= 4, 'preflights as well');
  t.ok(
    simulator.journal
      .entries()
      .every(({ headers }) => headers['origin'] === undefined && headers['cookie'] === undefined),
    'Cartesia learns nothing about the page',
  );
  await untilQuiet(running as CarryingBroker, 99);
});

test('a page sees why it was refused, and what a stream says when it breaks off', async (t) => {
  const { running, session, page } = await startApp(t, true);
  const { broker, simulator } = running;
  const attempt = (sessionToken: string, how: 'speak' | 'events') =>
    page.evaluate(
      async ({ url, sessionToken, how, transcript }) => {
        const { voice } = globalThis as unknown as { voice: typeof import('../../examples/browser/speak.js') };
        try {
          const cartesia = await voice.connect(url, sessionToken);
          if (how === 'speak') await voice.speak(cartesia.withOptions({ maxRetries: 0 }), transcript);
          else for await (const _ of voice.speakInEvents(cartesia, transcript));
          return 'nothing was wrong';
        } catch (error) {
          const {
            message,
            error: body,
            headers,
          } = error as Error & { error?: { error_code?: string }; headers?: Headers };
          return { message, code: body?.error_code, retryAfter: headers?.get('retry-after') };
        }
      },
      { url: broker.url, sessionToken, how, transcript: SPEECH.transcript },
    );
  t.match(await attempt('nobody', 'speak'), { message: /^Unauthenticated: / });
  const limited = simulator.faults.add({
    match: {},
    action: { type: 'answer', status: 429, code: 'concurrency_limited', retryAfter: 9 },
  });
  t.match(await attempt(session, 'speak'), { code: 'concurrency_limited', retryAfter: '9' });
  limited.remove();
  const cut = simulator.faults.add({ match: {}, action: { type: 'truncate_events', afterEvents: 1, end: 'reset' } });
  t.match(await attempt(session, 'events'), { message: /^Upstream unavailable: / });
  cut.remove();
  simulator.faults.add({ match: {}, action: { type: 'half_close', at: 'body', afterBodyBytes: 20_000 } });
  t.match(await attempt(session, 'speak'), { message: String });
});

test('a page on an unlisted origin gets nothing, not even with a valid session', async (t) => {
  const { running, session, page, complaints } = await startApp(t, false);
  const answer = await page.evaluate(
    async ({ url, session }) => {
      const { voice } = globalThis as unknown as { voice: typeof import('../../examples/browser/speak.js') };
      const tries: Record<string, string> = {};
      for (const [name, attempt] of Object.entries({
        mint: () => voice.connect(url, session),
        carry: () =>
          fetch(`${url}/tts/bytes`, { method: 'POST', headers: { authorization: `Bearer ${session}` }, body: '{}' }),
        // Needs no preflight, so it is sent; the page must not get an answer.
        simple: () => fetch(`${url}/tts/bytes`, { method: 'POST', body: '{}' }),
      })) {
        tries[name] = await attempt().then(
          () => 'answered',
          (error: Error) => error.name,
        );
      }
      return tries;
    },
    { url: running.broker.url, session },
  );
  t.strictSame(answer, { mint: 'TypeError', carry: 'TypeError', simple: 'TypeError' });
  t.ok(
    complaints.some((text) => text.includes('CORS')),
    complaints.join(),
  );
  t.strictSame(running.simulator.journal.entries(), [], 'Cartesia was not asked');
  t.equal(
    (await running.broker.metrics.mints.get()).values.filter(({ labels }) => labels.outcome === 'minted').length,
    0,
  );
});
