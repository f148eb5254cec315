// A real Chromium: a page that speaks and listens over the broker's WebSockets, each opened with a single-use token in its URL.
import type { Page } from 'playwright-core';
import { type Test, test } from 'tap';
import { startChromium } from './chromium.ts';
import { startPageServer } from './page-server.ts';
import { type SocketBroker, speech, startSocketBroker } from './socket-broker.ts';

async function openPage(t: Test): Promise<{ readonly page: Page; readonly origin: string }> {
  const origin = await startPageServer(t);
  const page = await (await startChromium(t)).newPage();
  await page.goto(origin);
  return { page, origin };
}

/** What a page's own backend does for it. */
async function singleUseToken({ broker, appKey }: SocketBroker, grant: 'tts' | 'stt') {
  const response = await fetch(`${broker.url}/access-token`, {
    method: 'POST',
    headers: { authorization: `Bearer ${appKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ grants: { [grant]: true }, single_use: true }),
  });
  return (await response.json()) as { readonly token: string; readonly websocket_url: string };
}

/** In the page: sends a message, and returns the audio received as base64 texts, and how the socket ended. */
async function speakInPage({ url, message }: { url: string; message: string }) {
  const socket = new WebSocket(url);
  const chunks: string[] = [];
  const { promise, resolve } = Promise.withResolvers<{ chunks: string[]; code: number; errors: string[] }>();
  const errors: string[] = [];
  socket.onopen = () => socket.send(message);
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(String(data));
    if (event.type === 'chunk') chunks.push(event.data);
    if (event.type === 'error') errors.push(event.error_code);
    if (event.type === 'done') socket.close(1000);
  };
  socket.onclose = ({ code }) => resolve({ chunks, code, errors });
  return await promise;
}

/** In the page: sends audio and returns the transcript. */
async function listenInPage({ url, chunks }: { url: string; chunks: string[] }) {
  const socket = new WebSocket(url);
  let text = '';
  const { promise, resolve } = Promise.withResolvers<{ text: string; code: number }>();
  socket.onopen = () => {
    for (const chunk of chunks) socket.send(Uint8Array.from(atob(chunk), (letter) => letter.charCodeAt(0)));
    socket.send('close');
  };
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(String(data));
    if (event.type === 'transcript' && event.is_final) text += event.text;
  };
  socket.onclose = ({ code }) => resolve({ text, code });
  return await promise;
}

test('a page speaks, and hears what it said, with two single-use tokens', async (t) => {
  const { page, origin } = await openPage(t);
  const running = await startSocketBroker(t, { env: { CORS_ORIGINS: origin } });
  const transcript = 'The page is speaking to itself.';

  const tts = await singleUseToken(running, 'tts');
  const ttsUrl = `${tts.websocket_url}/tts/websocket?cartesia_version=2026-08-14&access_token=${tts.token}`;
  const spoken = await page.evaluate(speakInPage, { url: ttsUrl, message: speech('page', transcript) });
  t.equal(spoken.code, 1000);
  t.ok(spoken.chunks.length > 1);

  const stt = await singleUseToken(running, 'stt');
  const query = `model=ink-2&encoding=pcm_s16le&sample_rate=16000&access_token=${stt.token}`;
  const heard = await page.evaluate(listenInPage, {
    url: `${stt.websocket_url}/stt/websocket?${query}`,
    chunks: spoken.chunks,
  });
  t.strictSame(heard, { text: transcript, code: 1000 });

  const again = await page.evaluate(speakInPage, { url: ttsUrl, message: speech('again', 'Again.') });
  t.strictSame(again, { chunks: [], code: 1006, errors: [] }, 'used up, and a page is not told why');
  for (const { token } of [tts, stt]) t.notOk(running.logText().includes(token));
  t.equal(running.simulator.journal.entries().length, 2);
});

test('a page on another origin is refused, and told why if the operator enables this', async (t) => {
  const { page } = await openPage(t);
  const running = await startSocketBroker(t, {
    file: (digest) => ({
      clients: {
        kiosk: { auth: { keys: [digest] }, grants: ['tts'], delivery: 'proxied', origins: ['https://app.example.com'] },
      },
      sockets: { browser_refusals: 'event' },
    }),
  });
  const { token, websocket_url: base } = await singleUseToken(running, 'tts');
  const url = `${base}/tts/websocket?access_token=${token}`;
  const refused = await page.evaluate(speakInPage, { url, message: speech('a', 'Hello.') });
  t.strictSame(refused, { chunks: [], code: 1008, errors: ['origin_not_allowed'] });
  t.equal(running.simulator.journal.entries().length, 0);
});
