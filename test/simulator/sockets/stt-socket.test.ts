import { test } from 'tap';
import { simulatorFor } from '../call.ts';
import { connect } from './socket-client.ts';
import { spoken } from './speech.ts';

const QUERY = 'model=ink-2&encoding=pcm_s16le&sample_rate=16000';
const PATH = '/stt/websocket';

test('partial results grow, finalize gives the final text with word times, and close ends with done', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, `${PATH}?${QUERY}`);
  for (const frame of spoken('How are you doing today?')) client.send(frame);
  client.send('finalize');
  const messages = await client.until('flush_done');
  const final = messages.at(-2) ?? {};
  const interim = messages.slice(0, -2);
  t.ok(interim.length > 8);
  for (const [n, { text, ...rest }] of interim.entries()) {
    t.same(rest, { type: 'transcript', is_final: false, request_id: client.requestId });
    t.ok(String(text).startsWith(String(interim[n - 1]?.['text'] ?? '')));
  }
  const { words, ...rest } = final;
  t.same(rest, {
    type: 'transcript',
    is_final: true,
    request_id: client.requestId,
    text: 'How are you doing today?',
    duration: 1.51,
    language: 'en',
  });
  t.same(
    (words as { word: string }[]).map(({ word }) => word),
    ['How', 'are', 'you', 'doing', 'today?'],
  );
  t.same(messages.at(-1), { type: 'flush_done', request_id: client.requestId });
  for (const frame of spoken(' And you?')) client.send(frame);
  client.send('close');
  const rests = await client.until('done');
  t.equal(rests.at(-2)?.['text'], ' And you?', 'a final text has everything since the last one, untrimmed');
  t.same(rests.at(-1), { type: 'done', request_id: client.requestId });
  t.equal((await client.closed).code, 1000);
  t.equal(simulator.counters().stt.active, 0);
});

test('done is the older name of close, and older versions get the older field', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, `${PATH}?${QUERY}`, { version: '2025-04-16' });
  client.send('finalize');
  t.same(await client.next(), { type: 'flush_done', request_id: client.requestId, is_final: false });
  client.send('done');
  t.match(await client.next(), { type: 'done', request_id: client.requestId });
  t.equal((await client.closed).code, 1000);
});

test('every TTS encoding is transcribed, cut anywhere', async (t) => {
  const simulator = await simulatorFor(t);
  for (const encoding of ['pcm_s16le', 'pcm_f32le', 'pcm_mulaw', 'pcm_alaw'] as const) {
    const query = `model=ink-whisper&language=de&encoding=${encoding}&sample_rate=8000`;
    const client = await connect(t, simulator, `${PATH}?${query}`);
    const bytes = Buffer.concat(spoken('Größe zählt, 元気?', 0, { encoding, sampleRate: 8_000 }));
    for (let at = 0; at < bytes.length; at += 777) client.send(bytes.subarray(at, at + 777));
    client.send('close');
    t.match((await client.until('done')).at(-2), { is_final: true, text: 'Größe zählt, 元気?', language: 'de' });
  }
});

test('the older model detects pauses by itself if asked to', async (t) => {
  const simulator = await simulatorFor(t);
  const query = 'model=ink-whisper&encoding=pcm_s16le&sample_rate=16000&max_silence_duration_secs=0.5';
  const client = await connect(t, simulator, `${PATH}?${query}`);
  for (const frame of spoken('One.', 1)) client.send(frame);
  t.match(await client.next(({ is_final: isFinal }) => isFinal === true), { text: 'One.' });
});

test('an invalid query is reported by an event, and then the socket closes', async (t) => {
  const simulator = await simulatorFor(t);
  const cases = [
    ['encoding=pcm_s16le&sample_rate=16000', { error_code: 'model_not_found' }],
    ['model=sonic-3&encoding=pcm_s16le&sample_rate=16000', { error_code: 'model_not_found' }],
    ['model=ink-2&sample_rate=16000', { title: 'Invalid request', message: 'The encoding is not valid.' }],
    ['model=ink-2&encoding=mp3&sample_rate=16000', { message: 'The encoding is not valid.' }],
    ['model=ink-2&encoding=pcm_s16le', { message: 'The sample_rate is not valid.' }],
    ['model=ink-2&encoding=pcm_s16le&sample_rate=1', { message: 'The sample_rate is not valid.' }],
    [`${QUERY}&language=xx`, { error_code: 'language_not_supported' }],
    [`${QUERY}${'&keyterm=x'.repeat(101)}`, { message: /keyterms/ }],
    [`${QUERY}&keyterm=${'x'.repeat(1_201)}`, { message: /keyterms/ }],
  ] as const;
  for (const [query, expected] of cases) {
    const client = await connect(t, simulator, `${PATH}?${query}`);
    const error = await client.next();
    t.match(error, { type: 'error', status_code: 400, request_id: client.requestId, ...expected });
    t.notOk('done' in error || 'context_id' in error);
    t.equal((await client.closed).code, 1008);
  }
  const whisper = await connect(
    t,
    simulator,
    '/stt/turns/websocket?model=ink-whisper&encoding=pcm_s16le&sample_rate=16000',
  );
  t.match(await whisper.next(), { error_code: 'model_not_found' });
  t.equal(simulator.counters().stt.active, 0);
});

test('an unknown command is an error, and the stream continues', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, `${PATH}?${QUERY}`, { version: '2025-04-16' });
  client.send('{"type":"finalize"}');
  t.same(await client.next(), {
    type: 'error',
    request_id: client.requestId,
    message: 'Invalid request: Text messages are finalize, close or done; audio is binary.',
  });
  client.send('finalize');
  t.equal((await client.next())['type'], 'flush_done');
});

test('each second of audio costs credits, and an empty account ends the stream', async (t) => {
  const simulator = await simulatorFor(t, { settings: { credits: 5 } });
  const client = await connect(t, simulator, `${PATH}?${QUERY}`);
  client.send(new Uint8Array(32_000));
  client.send(new Uint8Array(2));
  t.match(await client.next(), { type: 'error', status_code: 402, error_code: 'quota_exceeded' });
  t.equal((await client.closed).code, 1008);
  t.equal(simulator.counters().creditsSpent, 3);
  t.equal(simulator.counters().stt.active, 0);
});
