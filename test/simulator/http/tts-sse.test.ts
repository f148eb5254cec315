import { test } from 'tap';
import { decodeSamples } from '../../../src/simulator/audio/encodings.ts';
import { transcribe } from '../../../src/simulator/audio/transcriber.ts';
import { call, generation, simulatorFor } from '../call.ts';

type Event = Record<string, unknown>;

/** The parsed JSON of each `data:` line. */
function eventsOf(text: string): Event[] {
  return [...text.matchAll(/^data: (.*?)\r?$/gm)].map(([, json = '']) => JSON.parse(json) as Event);
}

test('speech comes as chunks and a done event, each on one line', async (t) => {
  const simulator = await simulatorFor(t);
  const answer = await call(simulator, 'POST /tts/sse', { json: generation({ context_id: 'teal-otter-walks' }) });
  t.equal(answer.status, 200);
  t.equal(answer.headers.get('content-type'), 'text/event-stream');
  t.match(answer.text, /^(data: \{[^\n]*\}\n\n)+$/);
  const events = eventsOf(answer.text);
  const chunks = events.slice(0, -1);
  t.ok(chunks.length > 1);
  for (const chunk of chunks) {
    t.match(chunk, {
      type: 'chunk',
      done: false,
      status_code: 206,
      step_time: Number,
      context_id: 'teal-otter-walks',
      data: String,
    });
  }
  t.strictSame(events.at(-1), { type: 'done', done: true, status_code: 206, context_id: 'teal-otter-walks' });
  const audio = Buffer.concat(chunks.map(({ data }) => Buffer.from(String(data), 'base64')));
  t.equal(transcribe(decodeSamples(audio, 'pcm_s16le'), 16_000).text.trim(), 'Hello there.');
  t.equal(Buffer.from(String(chunks[0]?.['data']), 'base64').length, 16_384, 'the size observed on the real service');
});

test('without a context id none is invented', async (t) => {
  const simulator = await simulatorFor(t);
  const events = eventsOf((await call(simulator, 'POST /tts/sse', { json: generation() })).text);
  t.ok(events.every((event) => !Object.hasOwn(event, 'context_id')));
});

test('word and phoneme timestamps are sent if requested', async (t) => {
  const simulator = await simulatorFor(t);
  const json = generation({ add_timestamps: true, add_phoneme_timestamps: true });
  const events = eventsOf((await call(simulator, 'POST /tts/sse', { json })).text);
  const words = events.find(({ type }) => type === 'timestamps')?.['word_timestamps'] as Record<string, number[]>;
  t.strictSame(words['words'], ['Hello', 'there.']);
  const [start = [], end = []] = [words['start'], words['end']];
  t.ok((start[0] ?? -1) >= 0 && (start[0] ?? 0) < (end[0] ?? 0) && (end[0] ?? 0) <= (start[1] ?? 0));
  const phonemes = events.find(({ type }) => type === 'phoneme_timestamps')?.['phoneme_timestamps'] as Record<
    string,
    unknown[]
  >;
  t.ok((phonemes['phonemes']?.length ?? 0) > 4);
  t.equal(phonemes['start']?.length, phonemes['phonemes']?.length);
});

test('containers other than raw cannot be streamed as events', async (t) => {
  const simulator = await simulatorFor(t);
  for (const container of ['mp3', 'wav']) {
    const output_format = { container, encoding: 'pcm_s16le', sample_rate: 44_100 };
    t.equal((await call(simulator, 'POST /tts/sse', { json: generation({ output_format }) })).status, 400, container);
  }
});

test('an error before the first event is an ordinary response', async (t) => {
  const simulator = await simulatorFor(t);
  const answer = await call(simulator, 'POST /tts/sse', { json: generation({ model_id: 'none' }) });
  t.equal(answer.status, 400);
  t.match(answer.json, { error_code: 'model_not_found' });
});

test('framing is a setting: event lines, and either line ending', async (t) => {
  const simulator = await simulatorFor(t, { settings: { sse: { framing: 'event', lineEnd: 'crlf' } } });
  const named = (await call(simulator, 'POST /tts/sse', { json: generation() })).text;
  t.match(named, /^(event: (chunk|done)\r\ndata: \{[^\r\n]*\}\r\n\r\n)+$/);
  simulator.configure({ sse: { framing: 'error_event', lineEnd: 'lf' } });
  simulator.faults.add({ match: {}, action: { type: 'error_event', afterEvents: 1, problem: 'unexpected' } });
  const failed = (await call(simulator, 'POST /tts/sse', { json: generation() })).text;
  t.match(failed, /^data: \{[^\n]*\}\n\nevent: error\ndata: \{[^\n]*\}\n\n$/);
});

test('credits and concurrency are counted as for bytes', async (t) => {
  const simulator = await simulatorFor(t, { settings: { limits: { tts: 1 }, credits: 30 } });
  for (let round = 0; round < 2; round += 1) {
    t.equal((await call(simulator, 'POST /tts/sse', { json: generation() })).status, 200);
  }
  t.equal((await call(simulator, 'POST /tts/sse', { json: generation() })).status, 402);
  simulator.configure({ credits: null, limits: { tts: 0 } });
  t.equal((await call(simulator, 'POST /tts/sse', { json: generation() })).status, 429);
});

test('a stream can be truncated, between events or inside one', async (t) => {
  const simulator = await simulatorFor(t);
  const speak = () => call(simulator, 'POST /tts/sse', { json: generation() });
  simulator.faults.add({ match: {}, times: 1, action: { type: 'truncate_events', afterEvents: 1 } });
  t.match((await speak()).text, /^data: \{[^\n]*\}\n\n$/);
  simulator.faults.add({ match: {}, times: 1, action: { type: 'truncate_events', afterEvents: 1, partial: true } });
  t.match((await speak()).text, /^data: \{[^\n]*\}\n\ndata: \{[^\n]*$/);
  for (const end of ['fin', 'reset'] as const) {
    simulator.faults.add({ match: {}, times: 1, action: { type: 'truncate_events', afterEvents: 1, end } });
    await t.rejects(speak(), `${end} shows as a broken body`);
  }
  t.equal(simulator.counters().tts.active, 0);
});
