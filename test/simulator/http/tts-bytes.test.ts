import { spawn } from 'node:child_process';
import { test } from 'tap';
import { readRecording } from '../../../src/simulator/audio/recording.ts';
import { transcribe } from '../../../src/simulator/audio/transcriber.ts';
import { PLAN_LIMITS, PLANS } from '../../../src/simulator/settings.ts';
import { call, generation, open, simulatorFor, VOICE } from '../call.ts';
import { head } from '../raw-client.ts';

test('speech in every container contains the requested text', async (t) => {
  const simulator = await simulatorFor(t);
  const cases: readonly [format: Record<string, unknown>, contentType: string][] = [
    [{ container: 'wav', encoding: 'pcm_s16le', sample_rate: 16_000 }, 'audio/wav'],
    [{ container: 'wav', encoding: 'pcm_f32le', sample_rate: 44_100 }, 'audio/wav'],
    [{ container: 'wav', encoding: 'pcm_mulaw', sample_rate: 8_000 }, 'audio/wav'],
    [{ container: 'wav', encoding: 'pcm_alaw', sample_rate: 8_000 }, 'audio/wav'],
    [{ container: 'mp3', sample_rate: 44_100, bit_rate: 128_000 }, 'audio/mpeg'],
    [{ container: 'mp3', sample_rate: 22_050 }, 'audio/mpeg'],
    [{ container: 'mp3', sample_rate: 44_100, bit_rate: 32_000 }, 'audio/mpeg'],
  ];
  for (const [output_format, contentType] of cases) {
    const answer = await call(simulator, 'POST /tts/bytes', { json: generation({ output_format }) });
    t.equal(answer.status, 200);
    t.equal(answer.headers.get('content-type'), contentType);
    t.equal(answer.headers.get('content-length'), null, 'streamed');
    const heard = await readRecording(answer.bytes);
    t.equal(
      heard && transcribe(heard.samples, heard.sampleRate).text.trim(),
      'Hello there.',
      JSON.stringify(output_format),
    );
    t.equal(heard?.sampleRate, output_format['sample_rate'], JSON.stringify(output_format));
  }
});

test('the length of raw audio depends on its encoding', async (t) => {
  const simulator = await simulatorFor(t);
  const lengthOf = async (encoding: string) => {
    const output_format = { container: 'raw', encoding, sample_rate: 8_000 };
    return (await call(simulator, 'POST /tts/bytes', { json: generation({ output_format }) })).bytes.length;
  };
  const samples = await lengthOf('pcm_mulaw');
  t.ok(samples > 1_000);
  t.equal(await lengthOf('pcm_alaw'), samples);
  t.equal(await lengthOf('pcm_s16le'), 2 * samples);
  t.equal(await lengthOf('pcm_f32le'), 4 * samples);
});

test('a request without a content type is read as JSON, as some clients send it', async (t) => {
  const simulator = await simulatorFor(t);
  const body = new TextEncoder().encode(JSON.stringify(generation()));
  const answer = await call(simulator, 'POST /tts/bytes', { body });
  t.equal(answer.status, 200);
  t.equal(simulator.journal.entries()[0]?.headers['content-type'], undefined);
});

test('the same request gives the same bytes, another voice gives others', async (t) => {
  const simulator = await simulatorFor(t);
  const speak = async (voice: string) =>
    (await call(simulator, 'POST /tts/bytes', { json: generation({ voice }) })).bytes;
  const first = await speak(VOICE);
  t.ok(first.equals(await speak(VOICE)));
  t.notOk(first.equals(await speak('694f9389-aac1-45b6-b726-9d9369183238')));
});

test('the version decides which forms of a voice are accepted', async (t) => {
  const simulator = await simulatorFor(t);
  const cases: readonly [version: string | null, voice: unknown, status: number][] = [
    ['2026-08-14', VOICE, 200],
    ['2026-08-14', { id: VOICE, extra: 1 }, 200],
    ['2026-08-14', { mode: 'id', id: VOICE }, 200],
    ['2026-08-14', { mode: 'embedding', embedding: [0.1] }, 400],
    ['2026-03-01', VOICE, 400],
    ['2025-04-16', { mode: 'id', id: VOICE }, 200],
    ['2025-04-16', { mode: 'embedding', embedding: [0.1] }, 400],
    ['2024-11-13', { mode: 'embedding', embedding: [0.1] }, 200],
    [null, VOICE, 200],
  ];
  for (const [version, voice, status] of cases) {
    const answer = await call(simulator, 'POST /tts/bytes', { version, json: generation({ voice }) });
    t.equal(answer.status, status, `${version} ${JSON.stringify(voice)}`);
  }
});

test('the fault in an invalid request is named', async (t) => {
  const simulator = await simulatorFor(t);
  const raw = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 };
  const cases: readonly [changes: Record<string, unknown>, title: string, message: string | RegExp][] = [
    [{ model_id: undefined }, 'Invalid request', '✖ Required\n  → at model_id'],
    [{ model_id: 7 }, 'Invalid request', '✖ Invalid input: expected string\n  → at model_id'],
    [{ model_id: 'sonic-9' }, 'Invalid model', /valid model ID/],
    [{ model_id: 'sonic-2' }, 'Model sunsetted', /no longer available/],
    [{ transcript: undefined }, 'Invalid request', '✖ Required\n  → at transcript'],
    [{ transcript: '' }, 'Invalid request', '✖ must not be empty\n  → at transcript'],
    [{ voice: undefined }, 'Invalid request', '✖ Required\n  → at voice'],
    [{ voice: {} }, 'Invalid request', '✖ Required\n  → at voice.id'],
    [{ voice: 'nobody' }, 'Invalid voice', /valid voice ID/],
    [{ voice: 'e07c00bc-4134-4eae-9ea4-1a55fb45746b' }, 'Voice and model mismatch', /not compatible/],
    [{ language: 'xx' }, 'Language not supported', /does not support/],
    [{ language: 'en', locale: 'en-GB' }, 'Invalid request', /cannot be set together/],
    [{ output_format: undefined }, 'Invalid request', '✖ Required\n  → at output_format'],
    [{ output_format: { ...raw, container: 'ogg' } }, 'Invalid request', /at output_format.container$/],
    [{ output_format: { ...raw, encoding: undefined } }, 'Invalid request', /at output_format.encoding$/],
    [{ output_format: { ...raw, sample_rate: 11_025 } }, 'Invalid request', /at output_format.sample_rate$/],
    [
      { output_format: { container: 'mp3', sample_rate: 44_100, bit_rate: 1 } },
      'Invalid request',
      /at output_format.bit_rate$/,
    ],
    [
      { generation_config: { speed: 3 } },
      'Invalid request',
      '✖ must be between 0.6 and 1.5\n  → at generation_config.speed',
    ],
    [{ generation_config: [] }, 'Invalid request', /at generation_config$/],
    [{ add_timestamps: 'yes' }, 'Invalid request', /at add_timestamps$/],
    [{ use_normalized_timestamps: 1 }, 'Invalid request', /at use_normalized_timestamps$/],
    [{ accent: ['british'] }, 'Invalid request', /at accent$/],
    [{ normalization: true }, 'Invalid request', /at normalization$/],
    [{ pronunciation_dict_id: 7 }, 'Invalid request', /at pronunciation_dict_id$/],
    [{ duration: '3' }, 'Invalid request', /at duration$/],
  ];
  for (const [changes, title, message] of cases) {
    const answer = await call(simulator, 'POST /tts/bytes', { json: generation(changes) });
    t.equal(answer.status, 400, JSON.stringify(changes));
    t.match(answer.json, { title, message });
  }
  t.equal(simulator.counters().creditsSpent, 0, 'a refusal costs nothing');
});

test('a model becomes unavailable on its sunset date', async (t) => {
  let now = Date.parse('2026-10-20T12:00:00Z');
  const simulator = await simulatorFor(t, { now: () => now });
  const speak = () => call(simulator, 'POST /tts/bytes', { json: generation({ model_id: 'sonic-2' }) });
  t.equal((await speak()).status, 200);
  now = Date.parse('2026-10-21T00:00:00Z');
  t.equal((await speak()).status, 400);
});

test('any UUID is a voice unless the settings forbid it', async (t) => {
  const simulator = await simulatorFor(t);
  const json = generation({ voice: '00000000-0000-4000-8000-000000000000' });
  t.equal((await call(simulator, 'POST /tts/bytes', { json })).status, 200);
  simulator.configure({ voices: { unknown: 'refuse' } });
  t.equal((await call(simulator, 'POST /tts/bytes', { json })).status, 400);
});

for (const plan of PLANS) {
  test(`the ${plan} plan serves ${PLAN_LIMITS[plan].tts} requests at once and refuses the next`, async (t) => {
    const simulator = await simulatorFor(t, { plan, settings: { latency: { firstByteMs: 60_000 } } });
    const controller = new AbortController();
    const { tts } = PLAN_LIMITS[plan];
    const waiting = Array.from({ length: tts }, () =>
      open(simulator, 'POST /tts/bytes', { json: generation(), signal: controller.signal }).catch(() => null),
    );
    while (simulator.counters().tts.active < tts) await new Promise(setImmediate);
    const refused = await call(simulator, 'POST /tts/bytes', { json: generation() });
    t.equal(refused.status, 429);
    t.match(refused.json, { error_code: 'concurrency_limited' });
    t.strictSame(simulator.counters().tts, { active: tts, highWater: tts, granted: tts, refused: 1 });
    controller.abort();
    await Promise.all(waiting);
    await simulator.journal.waitFor({ path: '/tts/bytes' }, (entry) => entry.outcome === 'aborted');
    while (simulator.counters().tts.active > 0) await new Promise(setImmediate);
    simulator.configure({ latency: { firstByteMs: 0 } });
    t.equal(
      (await call(simulator, 'POST /tts/bytes', { json: generation() })).status,
      200,
      'clients that left made room',
    );
  });
}

test('a client that has read to the end finds its slot free', async (t) => {
  const simulator = await simulatorFor(t, { settings: { limits: { tts: 1 } } });
  for (let round = 0; round < 20; round += 1) {
    t.equal((await call(simulator, 'POST /tts/bytes', { json: generation() })).status, 200);
  }
});

test('characters are charged until the credits are used up', async (t) => {
  const simulator = await simulatorFor(t, { settings: { credits: 13 } });
  const speak = (transcript: string) => call(simulator, 'POST /tts/bytes', { json: generation({ transcript }) });
  t.equal((await speak('Hello 🌍.')).status, 200, 'a character outside the basic plane counts as one');
  t.equal(simulator.settings.credits, 5);
  const refused = await speak('Too long.');
  t.equal(refused.status, 402);
  t.match(refused.json, { error_code: 'quota_exceeded', title: 'Quota exceeded' });
  t.equal(simulator.settings.credits, 5, 'a refusal costs nothing');
  t.equal(simulator.counters().tts.active, 0);
  t.equal((await speak('Fits.')).status, 200);
  t.equal((await speak('x')).status, 402);
  t.equal(simulator.counters().creditsSpent, 13);
});

test('a client that does not read stops the stream, and one that leaves ends it', async (t) => {
  const simulator = await simulatorFor(t);
  const json = generation({
    transcript: 'A long text. '.repeat(2_000),
    output_format: { container: 'raw', encoding: 'pcm_f32le', sample_rate: 48_000 },
  });
  const controller = new AbortController();
  const response = await open(simulator, 'POST /tts/bytes', { json, signal: controller.signal });
  const reader = response.body?.getReader();
  await reader?.read();
  const [entry] = simulator.journal.entries();
  controller.abort();
  t.equal((await simulator.journal.waitFor({ path: '/tts/bytes' })).outcome, 'aborted');
  t.ok((entry?.bytesOut ?? 0) < 50_000_000, `only ${entry?.bytesOut} of 299 million bytes were made`);
  while (simulator.counters().tts.active > 0) await new Promise(setImmediate);
  t.equal(simulator.counters().tts.active, 0);
});

test('others have their turn during a long answer, also when its client reads as fast as speech is made', async (t) => {
  const simulator = await simulatorFor(t);
  const output_format = { container: 'mp3', sample_rate: 44_100, bit_rate: 32_000 };
  const body = JSON.stringify(generation({ transcript: 'A long text. '.repeat(50), output_format }));
  const fields = { authorization: `Bearer ${simulator.apiKey}`, 'content-length': String(Buffer.byteLength(body)) };
  // In a process of its own, because here it could not read while the simulator writes.
  const client = spawn(process.execPath, ['-e', READER, new URL(simulator.url).port], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  t.teardown(() => client.kill());
  client.stdin.end(head('POST', '/tts/bytes', fields) + body);
  const entry = await simulator.journal.waitFor({ path: '/tts/bytes' }, ({ status }) => status === 200);
  let turns = 0;
  for (; entry.outcome === 'open'; turns += 1) await new Promise(setImmediate);
  t.equal(entry.outcome, 'completed');
  t.ok(turns >= 100, `${turns} turns while 39 s of speech were made`);
});

/** Sends what it reads from its standard input, and reads the answer. */
const READER = `
  const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1').resume();
  process.stdin.pipe(socket, { end: false });`;
