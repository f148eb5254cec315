// The official SDKs over WebSockets, with only their base URL changed and the simulator's certificate trusted.

import { once } from 'node:events';
import { createRequire } from 'node:module';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Cartesia as WebCartesia } from '@cartesia/cartesia-js';
import { Cartesia as WebCartesia3 } from 'cartesia-js-3';
import { type Test, test } from 'tap';
import type { SimulatorOptions } from '../../../src/simulator/simulator.ts';
import { type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { VOICE } from '../call.ts';
import { heardIn, S16_16K, spoken } from './speech.ts';

type Client = typeof WebCartesia;

const require = createRequire(import.meta.url);
const { Cartesia: NodeCartesia } = require('@cartesia/cartesia-js') as { Cartesia: Client };
const { Cartesia: NodeCartesia3 } = require('cartesia-js-3') as { Cartesia: Client };

/**
 * The CommonJS build finds `ws` and sends headers. The ES module build finds no `require` and behaves as in a browser:
 * it opens a standard WebSocket with credential and version in the query.
 */
const SDKS = [
  { name: '4.2.0 in Node', Client: NodeCartesia, version: '2026-08-14', isWeb: false, structured: true },
  { name: '4.2.0 as in a browser', Client: WebCartesia, version: '2026-08-14', isWeb: true, structured: true },
  { name: '3.5.1 in Node', Client: NodeCartesia3, version: '2025-11-04', isWeb: false, structured: false },
  {
    name: '3.5.1 as in a browser',
    Client: WebCartesia3 as unknown as Client,
    version: '2025-11-04',
    isWeb: true,
    structured: false,
  },
] as const;

type Sdk = (typeof SDKS)[number];

const RAW = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 } as const;
const CONTEXT = { model_id: 'sonic-3', voice: { mode: 'id', id: VOICE }, output_format: RAW } as const;
const AUDIO = { model: 'ink-2', encoding: 'pcm_s16le', sample_rate: 16_000 } as const;

/** The SDK forces `wss` for TTS, so the simulator serves TLS, and its certificate is trusted as a user would do it. */
async function simulatorWithTls(t: Test, options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ port: null, ...options });
  t.teardown(() => simulator.close());
  setDefaultCACertificates([...getCACertificates('bundled'), simulator.certificate]);
  return simulator;
}

function clientOf({ Client }: Sdk, simulator: Simulator, credential: object = { apiKey: simulator.apiKey }) {
  return new Client({ baseURL: simulator.tlsUrl, maxRetries: 0, ...credential });
}

async function openTts(t: Test, sdk: Sdk, simulator: Simulator, credential?: object) {
  const socket = await clientOf(sdk, simulator, credential).tts.websocket({ ca: simulator.certificate });
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  t.teardown(() => socket.close());
  return { socket, errors };
}

/** The SDK gives no chance to attach an error listener before it connects. The runner's own listeners would fail the test. */
async function nextUnhandledRejection(): Promise<unknown> {
  const others = process.rawListeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  const [reason] = await once(process, 'unhandledRejection');
  for (const listener of others) process.on('unhandledRejection', listener as (reason: unknown) => void);
  return reason;
}

type Events = AsyncIterable<{ readonly type: string; readonly data?: string; readonly flush_id?: number | null }>;

async function heard(events: Events): Promise<{ text: string; types: string[] }> {
  const pieces: string[] = [];
  const types: string[] = [];
  for await (const event of events) {
    types.push(event.type);
    if (event.type === 'chunk' && event.data !== undefined) pieces.push(event.data);
  }
  return { text: heardIn(pieces, S16_16K), types };
}

for (const sdk of SDKS) {
  const { name, version, isWeb, structured } = sdk;

  test(`${name}: several contexts on one socket, each with its own parts`, async (t) => {
    const simulator = await simulatorWithTls(t, { plan: 'scale' });
    const { socket } = await openTts(t, sdk, simulator);
    const texts = Array.from({ length: 8 }, (_, n) => [`This is speech ${n}. `, 'It has a ', 'second part.']);
    const spokenTexts = await Promise.all(
      texts.map(async (parts) => {
        const context = socket.context(CONTEXT);
        const received = heard(context.receive());
        for (const transcript of parts) await context.push({ transcript });
        await context.no_more_inputs();
        return (await received).text;
      }),
    );
    t.strictSame(
      spokenTexts,
      texts.map((parts) => parts.join('')),
    );
    const [entry] = simulator.journal.entries();
    t.equal(entry?.secure, true);
    const named = isWeb ? entry?.query['cartesia_version'] : entry?.headers['cartesia-version'];
    t.equal(named, version, 'the version that the SDK sends');
    const credential = isWeb ? entry?.query['api_key'] : entry?.headers['authorization']?.slice('Bearer '.length);
    t.equal(credential, simulator.apiKey);
    t.same(simulator.counters().tts, { active: 0, highWater: 8, granted: 8, refused: 0 });
  });

  test(`${name}: an access token opens the socket`, async (t) => {
    const simulator = await simulatorWithTls(t);
    const { token } = await clientOf(sdk, simulator).accessToken.create({ grants: { tts: true }, expires_in: 60 });
    const { socket } = await openTts(t, sdk, simulator, { token });
    const { text } = await heard(socket.generate({ ...CONTEXT, transcript: 'With a token.' }));
    t.equal(text, 'With a token.');
    const [entry] = simulator.journal.entries({ path: '/tts/websocket' });
    t.equal(isWeb ? entry?.query['access_token'] : entry?.headers['authorization'], isWeb ? token : `Bearer ${token}`);
  });

  test(`${name}: flushes and timestamps of words and phonemes arrive`, async (t) => {
    const simulator = await simulatorWithTls(t);
    const { socket } = await openTts(t, sdk, simulator);
    const context = socket.context({ ...CONTEXT, add_timestamps: true, add_phoneme_timestamps: true });
    const words: string[] = [];
    const phonemes: string[] = [];
    const flushIds = new Set<unknown>();
    const received = (async () => {
      for await (const event of context.receive()) {
        if (event.type === 'timestamps') words.push(...(event.word_timestamps?.words ?? []));
        if (event.type === 'phoneme_timestamps') phonemes.push(...(event.phoneme_timestamps?.phonemes ?? []));
        if (event.type === 'chunk') flushIds.add(event.flush_id);
        if (event.type === 'flush_done') flushIds.add(`done ${event.flush_id}`);
      }
    })();
    await context.push({ transcript: 'Stay hungry, ', flush: true });
    await context.push({ transcript: 'stay foolish.' });
    await context.no_more_inputs();
    await received;
    t.strictSame(words, ['Stay', 'hungry,', 'stay', 'foolish.']);
    t.ok(phonemes.length > 10);
    t.strictSame([...flushIds], [1, 'done 1', 2]);
  });

  test(`${name}: cancel ends the context at once, and late chunks do no harm`, async (t) => {
    const simulator = await simulatorWithTls(t, { settings: { latency: { perChunkMs: 10 } } });
    const { socket, errors } = await openTts(t, sdk, simulator);
    const context = socket.context(CONTEXT);
    await context.push({ transcript: 'A long sentence that takes many chunks to say. '.repeat(5) });
    for await (const event of context.receive()) {
      t.equal(event.type, 'chunk');
      await context.cancel();
    }
    const { text } = await heard(socket.generate({ ...CONTEXT, transcript: 'Next.' }));
    t.equal(text, 'Next.');
    t.strictSame(errors, []);
    const [entry] = simulator.journal.entries();
    t.ok(entry?.frames.some(({ text: sent = '' }) => sent.includes('"cancel":true')));
    await simulator.journal.waitFor(
      {},
      ({ frames }) => frames.filter(({ text: sent = '' }) => sent.includes('"type":"done"')).length === 2,
    );
    t.equal(simulator.counters().tts.active, 0);
  });

  test(`${name}: an error with a context rejects its reader, with the message of the version`, async (t) => {
    const simulator = await simulatorWithTls(t, { settings: { limits: { tts: 0 } } });
    const { socket, errors } = await openTts(t, sdk, simulator);
    const context = socket.context({ ...CONTEXT, timeout: 5_000 });
    await context.push({ transcript: 'Too many.' });
    // 3.5 requests a version with older errors, but reads fields that those do not have.
    const message = structured ? "You have exceeded your plan's concurrency limit." : 'Unknown server error';
    await t.rejects(heard(context.receive()), { message });
    t.equal(errors.length, 1, 'the error listener gets it too');
    await t.rejects(heard(socket.generate({ ...CONTEXT, transcript: 'Too many.' })), /concurrency/);
  });

  test(`${name}: an error without a context, or a close in the middle, leaves the reader waiting`, async (t) => {
    for (const action of [
      { type: 'garbage_socket', as: 'text', bytes: '{"type":"error","status_code":500,"done":true}', afterFrames: 1 },
      { type: 'close_socket', code: 1011, reason: 'gone', afterFrames: 1 },
      { type: 'hang_socket', afterFrames: 1 },
    ] as const) {
      const simulator = await simulatorWithTls(t, { settings: { latency: { perChunkMs: 60_000 } } });
      simulator.faults.add({ match: { path: '/tts/websocket' }, times: 1, action });
      const { socket } = await openTts(t, sdk, simulator);
      const context = socket.context({ ...CONTEXT, timeout: 100 });
      await context.push({ transcript: 'A sentence with more than one chunk, so that it stays unfinished.' });
      // Matched by message, because each build has its own error class.
      await t.rejects(heard(context.receive()), /timed? ?out|100/i, action.type);
    }
  });

  test(`${name}: a refused upgrade rejects, and also causes a rejection that nobody can handle`, async (t) => {
    const simulator = await simulatorWithTls(t, { settings: { limits: { ttsSockets: 0 } } });
    const unhandled = nextUnhandledRejection();
    const opening = clientOf(sdk, simulator).tts.websocket({ ca: simulator.certificate });
    // Only Node sees the status; a browser does not.
    const told = isWeb ? /WebSocket error/ : /Unexpected server response: 429/;
    await t.rejects(opening);
    t.match(String(await unhandled), told);
    t.equal(simulator.journal.entries({ path: '/tts/websocket' })[0]?.status, 429);
  });

  test(`${name}: realtime transcription works with turns ended by the client`, async (t) => {
    const simulator = await simulatorWithTls(t);
    const { token } = await clientOf(sdk, simulator).accessToken.create({ grants: { stt: true }, expires_in: 60 });
    const socket = clientOf(sdk, simulator, { token }).stt.manualFinalize.websocket(AUDIO, {
      ca: simulator.certificate,
    });
    let text = '';
    let closed = 0;
    for await (const event of socket.stream()) {
      if (event.type === 'open') {
        for (const frame of spoken('First half, ')) socket.sendRaw(frame);
        socket.send('finalize');
      }
      if (event.type === 'message' && event.message.type === 'transcript' && event.message.is_final) {
        text += event.message.text;
      }
      if (event.type === 'message' && event.message.type === 'flush_done') {
        for (const frame of spoken('second half.')) socket.sendRaw(frame);
        socket.send('close');
      }
      if (event.type === 'close') closed = event.code;
    }
    t.equal(text, 'First half, second half.');
    t.equal(closed, 1000);
    t.equal(simulator.counters().stt.active, 0);
  });

  test(`${name}: realtime transcription works with turns detected by the model`, async (t) => {
    const simulator = await simulatorWithTls(t);
    const socket = clientOf(sdk, simulator).stt.autoFinalize.websocket(AUDIO, { ca: simulator.certificate });
    const seen: string[] = [];
    let transcript = '';
    for await (const event of socket.stream()) {
      if (event.type === 'open') for (const frame of spoken('Did you hear that?', 1)) socket.sendRaw(frame);
      if (event.type !== 'message') continue;
      const { message } = event;
      if (seen.at(-1) !== message.type) seen.push(message.type);
      if (message.type === 'turn.end') {
        transcript = message.transcript;
        socket.send({ type: 'close' });
      }
    }
    t.equal(transcript, 'Did you hear that?');
    t.strictSame(seen, ['connected', 'turn.start', 'turn.update', 'turn.eager_end', 'turn.end']);
  });

  test(`${name}: STT errors reach the stream; it reconnects after 1012 and never after 1008`, async (t) => {
    const simulator = await simulatorWithTls(t);
    const client = clientOf(sdk, simulator);
    const reconnect = { initialDelay: 1, onReconnecting: () => undefined };
    const wrong = client.stt.manualFinalize.websocket(
      { ...AUDIO, model: 'ink-0' as 'ink-2' },
      { ca: simulator.certificate, reconnect },
    );
    const events: string[] = [];
    for await (const event of wrong.stream()) {
      if (event.type === 'error') events.push(event.error.error?.message ?? event.error.message);
      if (event.type === 'close') events.push(`close ${event.code}`);
      if (event.type === 'reconnecting') events.push('reconnecting');
    }
    const told = 'The model is not valid, make sure it is a valid model ID.';
    t.strictSame(events, [structured ? told : `Invalid model: ${told}`, 'close 1008']);

    const path = '/stt/websocket';
    simulator.faults.add({ match: { path }, times: 1, action: { type: 'close_socket', code: 1012, afterFrames: 1 } });
    const again = client.stt.manualFinalize.websocket(AUDIO, { ca: simulator.certificate, reconnect });
    const codes: number[] = [];
    for await (const event of again.stream()) {
      if (event.type === 'open' && codes.length === 0) for (const frame of spoken('Hi')) again.sendRaw(frame);
      if (event.type === 'reconnecting') codes.push(event.reconnect.closeCode);
      if (event.type === 'reconnected') again.send('close');
    }
    t.strictSame(codes, [1012]);
  });
}
