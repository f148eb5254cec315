import { test } from 'tap';
import { call, form, generation, open, recording, simulatorFor } from '../call.ts';

test('speech of the simulator is transcribed with the times of its words', async (t) => {
  const simulator = await simulatorFor(t);
  const file = await recording(simulator, 'How are you doing today?');
  const body = form({ file, model: 'ink-whisper', language: 'en', 'timestamp_granularities[]': ['word'] });
  const answer = await call(simulator, 'POST /stt', { body });
  t.equal(answer.status, 200);
  const { words, request_id, duration, ...rest } = answer.json as Record<string, unknown>;
  t.strictSame(rest, { type: 'transcript', text: 'How are you doing today?', language: 'en' });
  t.equal(request_id, answer.headers.get('x-request-id'));
  t.ok(Number(duration) > 1 && Number(duration) < 5);
  t.strictSame(
    (words as { word: string }[]).map(({ word }) => word),
    ['How', 'are', 'you', 'doing', 'today?'],
  );
});

test('MP3 and raw audio are transcribed too', async (t) => {
  const simulator = await simulatorFor(t);
  const spoken = async (output_format: Record<string, unknown>) =>
    Buffer.from((await call(simulator, 'POST /tts/bytes', { json: generation({ output_format }) })).bytes);
  const mp3 = form({ file: await spoken({ container: 'mp3', sample_rate: 44_100 }), model: 'ink-whisper-2025-06-04' });
  t.match((await call(simulator, 'POST /stt', { body: mp3 })).json, { text: 'Hello there.' });
  const raw = await spoken({ container: 'raw', encoding: 'pcm_f32le', sample_rate: 24_000 });
  const target = 'POST /stt?encoding=pcm_f32le&sample_rate=24000';
  t.match((await call(simulator, target, { body: form({ file: raw, model: 'ink-whisper' }) })).json, {
    text: 'Hello there.',
  });
  const unnamed = await call(simulator, 'POST /stt', { body: form({ file: raw, model: 'ink-whisper' }) });
  t.equal(unnamed.status, 400);
  t.match(unnamed.json, { error_code: 'unsupported_audio_format' });
});

test('older versions answer without a type, and with words only if requested', async (t) => {
  const simulator = await simulatorFor(t);
  const body = form({ file: await recording(simulator, 'Hi.'), model: 'ink-whisper' });
  const answer = await call(simulator, 'POST /stt', { version: '2025-04-16', body });
  t.strictSame(Object.keys(answer.json as object), ['text', 'language', 'duration']);
});

test('the fault in an invalid form is named', async (t) => {
  const simulator = await simulatorFor(t);
  const file = await recording(simulator, 'Hi.');
  const cases: readonly [body: FormData | string, status: number, match: Record<string, unknown>][] = [
    [form({ model: 'ink-whisper' }), 400, { message: '✖ Required\n  → at file' }],
    [form({ file }), 400, { message: '✖ Required\n  → at model' }],
    [form({ file, model: 'whisper-1' }), 400, { error_code: 'model_not_found' }],
    [form({ file, model: 'ink-2' }), 400, { error_code: 'model_not_found' }], // for sockets only
    [form({ file, model: 'ink-whisper', language: 'xx' }), 400, { error_code: 'language_not_supported' }],
    [form({ file: Buffer.from('no audio'), model: 'ink-whisper' }), 400, { error_code: 'unsupported_audio_format' }],
    ['{}', 400, { message: 'Expected multipart/form-data.' }],
  ];
  for (const [body, status, match] of cases) {
    const answer = await call(simulator, 'POST /stt', { body });
    t.equal(answer.status, status);
    t.match(answer.json, match);
  }
  t.equal(simulator.counters().stt.active, 0);
});

test('a truncated form, or a body that is not a form, is refused', async (t) => {
  const simulator = await simulatorFor(t);
  const headers = { 'content-type': 'multipart/form-data; boundary=x' };
  const head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';
  for (const body of ['', 'nonsense', head, `${head}abc`, `${head}abc\r\n--x`]) {
    const answer = await call(simulator, 'POST /stt', { body, headers });
    t.equal(answer.status, 400, JSON.stringify(body));
  }
  for (const type of [
    'multipart/form-data',
    'multipart/form-data; charset=utf-8',
    'multipart/form-data; xboundary=x',
  ]) {
    const answer = await call(simulator, 'POST /stt', { body: '--x--', headers: { 'content-type': type } });
    t.match(answer.json, { title: 'Invalid request', message: 'Expected multipart/form-data.' }, type);
  }
  t.equal(simulator.counters().stt.active, 0);
});

test('an upload beyond the limit is 413', async (t) => {
  const simulator = await simulatorFor(t, { settings: { sizes: { uploadBytes: 1_000 } } });
  const body = form({ file: Buffer.alloc(5_000), model: 'ink-whisper' });
  const answer = await call(simulator, 'POST /stt', { body });
  t.equal(answer.status, 413);
  t.match(answer.json, { error_code: 'file_too_large' });
});

test('each second is charged, and the upload holds a slot', async (t) => {
  const simulator = await simulatorFor(t, { settings: { limits: { stt: 1 } } });
  const file = await recording(simulator, 'Hi.');
  simulator.resetCounters();
  const body = () => form({ file, model: 'ink-whisper' });
  const answer = await call(simulator, 'POST /stt', { body: body() });
  const { duration } = answer.json as { duration: number };
  t.ok(Math.abs(simulator.counters().creditsSpent - duration / 2) < 0.01, 'half a credit per second');
  const controller = new AbortController();
  const endless = new ReadableStream<Uint8Array>({ start: (stream) => stream.enqueue(Buffer.from('--x\r\n')) });
  const headers = { 'content-type': 'multipart/form-data; boundary=x' };
  const slow = open(simulator, 'POST /stt', { body: endless, headers, signal: controller.signal }).catch(() => null);
  while (simulator.counters().stt.active === 0) await new Promise(setImmediate);
  t.equal((await call(simulator, 'POST /stt', { body: body() })).status, 429);
  controller.abort();
  await slow;
  while (simulator.counters().stt.active > 0) await new Promise(setImmediate);
  simulator.configure({ credits: 0 });
  t.equal((await call(simulator, 'POST /stt', { body: body() })).status, 402);
});

test("OpenAI's endpoints answer in OpenAI's formats", async (t) => {
  const simulator = await simulatorFor(t);
  const file = await recording(simulator, 'Hello there.');
  const ask = (fields: Record<string, string | string[]>) =>
    call(simulator, 'POST /audio/transcriptions', { body: form({ file, model: 'ink-whisper', ...fields }) });
  t.strictSame((await ask({})).json, { text: 'Hello there.' });
  t.equal((await ask({ response_format: 'text' })).text, 'Hello there.\n');
  const verbose = await ask({ response_format: 'verbose_json', 'timestamp_granularities[]': ['word'] });
  t.match(verbose.json, {
    task: 'transcribe',
    language: 'en',
    text: 'Hello there.',
    words: [{ word: 'Hello' }, { word: 'there.' }],
  });
});
