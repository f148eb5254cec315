import { test } from 'tap';
import { simulatorFor, VOICE } from '../call.ts';
import { connect, type Message, type SocketClient } from './socket-client.ts';
import { heardInChunks } from './speech.ts';

const PATH = '/tts/websocket';
const REQUEST = {
  model_id: 'sonic-3.6',
  voice: VOICE,
  output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 },
};

const types = (messages: readonly Message[]) => messages.map(({ type }) => type);
const isDone = (contextId: string) => (message: Message) =>
  message['type'] === 'done' && message['context_id'] === contextId;
const say = (client: SocketClient, context_id: string, transcript: string, more: object = {}) =>
  client.send({ ...REQUEST, context_id, transcript, ...more });

test('one message gives chunks and done, and the audio contains the transcript', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  say(client, 'one', 'Hello, world!');
  const messages = await client.until('done');
  t.equal(heardInChunks(messages, 'one'), 'Hello, world!');
  t.same(new Set(types(messages.slice(0, -1))), new Set(['chunk']));
  const [chunk = {}] = messages;
  t.same(
    { ...chunk, data: typeof chunk['data'], step_time: typeof chunk['step_time'] },
    { type: 'chunk', data: 'string', done: false, status_code: 206, step_time: 'number', context_id: 'one' },
  );
  t.equal(Buffer.from(String(chunk['data']), 'base64').length, 16_384, 'the chunk size observed upstream');
  t.same(messages.at(-1), { type: 'done', done: true, status_code: 206, context_id: 'one' });
});

test('parts of a context are joined unchanged, and spoken as one text', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  for (const part of ['Hel', 'lo, wor', 'ld! ', 'And ', 'more.']) say(client, 'parts', part, { continue: true });
  say(client, 'parts', '', { continue: false });
  t.equal(heardInChunks(await client.until('done'), 'parts'), 'Hello, world! And more.');
  t.equal(simulator.counters().creditsSpent, 23);
});

test('many contexts speak at the same time, each in its own order', async (t) => {
  const simulator = await simulatorFor(t, { plan: 'scale' });
  const client = await connect(t, simulator, PATH);
  const ids = Array.from({ length: 15 }, (_, n) => `context-${n}`);
  for (const id of ids) say(client, id, `This is ${id}, and it says quite a lot.`, { add_timestamps: true });
  for (let done = 0; done < ids.length; done += 1) await client.until('done');
  for (const id of ids) t.equal(heardInChunks(client.messages, id), `This is ${id}, and it says quite a lot.`);
  const owners = client.messages.filter(({ type }) => type === 'chunk').map(({ context_id: id }) => id);
  const switches = owners.filter((id, n) => n > 0 && id !== owners[n - 1]).length;
  t.ok(switches > ids.length, 'chunks of different contexts are interleaved');
  t.same(simulator.counters().tts, { active: 0, highWater: 15, granted: 15, refused: 0 });
});

test('timestamps list words and phonemes, in seconds of the context', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  const timed = { add_timestamps: true, add_phoneme_timestamps: true };
  say(client, 'timed', 'Hello, world! ', { ...timed, continue: true });
  say(client, 'timed', 'Bye.', timed);
  const messages = await client.until('done');
  const [first = {}, second = {}] = messages.filter(({ type }) => type === 'timestamps');
  t.same(first, {
    type: 'timestamps',
    done: false,
    status_code: 206,
    context_id: 'timed',
    word_timestamps: { words: ['Hello,', 'world!'], start: [0.03, 0.45], end: [0.39, 0.81] },
  });
  t.same(second['word_timestamps'], { words: ['Bye.'], start: [0.87], end: [1.11] });
  const [phonemes = {}] = messages.filter(({ type }) => type === 'phoneme_timestamps');
  const { phonemes: names } = phonemes['phoneme_timestamps'] as { phonemes: string[] };
  t.same(names, ['h', 'ə', 'l', 'oʊ', 'w', 'oʊ', 'ɹ', 'l', 'd']);
});

test('a flush speaks the held text, counts up, and leaves the context open', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  say(client, 'flushed', 'No end', { continue: true });
  say(client, 'flushed', '', { continue: true, flush: true });
  const first = await client.until('flush_done');
  t.equal(heardInChunks(first, 'flushed'), 'No end');
  t.same(first.at(-1), {
    type: 'flush_done',
    done: false,
    flush_done: true,
    flush_id: 1,
    status_code: 206,
    context_id: 'flushed',
  });
  say(client, 'flushed', ' in sight', { continue: true, flush: true });
  const second = await client.until('flush_done');
  say(client, 'flushed', ' yet');
  const rest = await client.until('done');
  const flushIds = [first, second, rest].map((part) => new Set(part.slice(0, -1).map(({ flush_id: id }) => id)));
  t.same(flushIds, [new Set([1]), new Set([2]), new Set([3])]);
  t.equal(heardInChunks(client.messages, 'flushed'), 'No end in sight yet');
});

test('an unfinished text is held until the delay ends, counted from its first part', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  say(client, 'held', 'Wait', { continue: true, max_buffer_delay_ms: 5_000 });
  say(client, 'other', 'Now.');
  await client.until(isDone('other'));
  t.equal(heardInChunks(client.messages, 'held'), '', 'nothing is spoken yet');
  simulator.clock.advance(4_000);
  say(client, 'held', ' for it', { continue: true, max_buffer_delay_ms: 5_000 });
  say(client, 'third', 'Now.');
  await client.until(isDone('third'));
  t.equal(heardInChunks(client.messages, 'held'), '');
  simulator.clock.advance(1_000);
  await client.until('chunk');
  simulator.clock.advance(1_000);
  await client.until(isDone('held'));
  t.equal(heardInChunks(client.messages, 'held'), 'Wait for it');
});

test('with no delay, and in versions without one, text is spoken at once', async (t) => {
  const simulator = await simulatorFor(t);
  for (const [version, more] of [
    ['2026-08-14', { max_buffer_delay_ms: 0 }],
    ['2025-04-16', {}],
  ] as const) {
    const client = await connect(t, simulator, PATH, { version });
    say(client, 'now', 'Go', { ...more, voice: { mode: 'id', id: VOICE }, continue: true });
    t.equal((await client.next())['type'], 'chunk', version);
  }
});

test('a context ends one second after its last audio, and its id cannot be used again', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  say(client, 'left', 'Hello. ', { continue: true });
  await client.until('chunk');
  // Another context on the same socket shows that the first one is idle.
  say(client, 'other', 'Short.');
  await client.until(isDone('other'));
  t.equal(simulator.counters().tts.active, 1);
  // Real time passes as well, so not to the millisecond.
  simulator.clock.advance(800);
  t.equal(simulator.counters().tts.active, 1);
  simulator.clock.advance(200);
  t.equal(simulator.counters().tts.active, 0);
  t.ok(isDone('left')(await client.next(isDone('left'))));
  say(client, 'left', 'More.');
  const late = await client.next('error');
  t.match(late, { status_code: 400, context_id: 'left', message: /cannot be used again/ });
});

test('a cancel drops text not yet begun; some late chunks follow, and then done', async (t) => {
  const simulator = await simulatorFor(t, { settings: { latency: { perChunkMs: 20 } } });
  const client = await connect(t, simulator, PATH);
  say(client, 'gone', 'A long sentence that takes many chunks to say. '.repeat(5));
  await client.until('chunk');
  client.send({ context_id: 'gone', cancel: true });
  const late = await client.until('done');
  t.ok(late.length > 1 && late.length < 12, `${late.length - 1} late chunks`);
  t.equal(simulator.counters().tts.active, 0);
  client.send({ context_id: 'gone', cancel: true });
  client.send({ context_id: 'never', cancel: true });
  say(client, 'next', 'Still here.');
  t.same(types(await client.until('done')).includes('error'), false, 'needless cancels are not errors');
});

test('a repeated cancel does not let more chunks through', async (t) => {
  const simulator = await simulatorFor(t, { settings: { latency: { perChunkMs: 10_000 } } });
  const { clock } = simulator;
  const client = await connect(t, simulator, PATH);
  say(client, 'gone', 'A long sentence that takes many chunks to say. '.repeat(5));
  await client.next('chunk');
  const next = async (type: string) => {
    client.send({ context_id: 'gone', cancel: true });
    client.send({ context_id: 'never', transcript: '' });
    await client.next('error');
    clock.advance(10_000);
    return (await client.next(({ context_id: id }) => id === 'gone'))['type'] === type;
  };
  t.ok(await next('chunk'));
  t.ok(await next('chunk'));
  t.equal((await client.next(({ context_id: id }) => id === 'gone'))['type'], 'done');
});

test('the end of a cancelled context is configurable', async (t) => {
  const settings = { sockets: { chunksAfterCancel: 0, doneAfterCancel: false }, latency: { perChunkMs: 20 } };
  const simulator = await simulatorFor(t, { settings });
  const client = await connect(t, simulator, PATH);
  say(client, 'gone', 'A long sentence that takes many chunks to say. '.repeat(5));
  await client.until('chunk');
  client.send({ context_id: 'gone', cancel: true });
  say(client, 'next', 'Next.');
  await client.until(isDone('next'));
  t.equal(client.messages.filter(isDone('gone')).length, 0);
  t.equal(simulator.counters().tts.active, 0);
});

test('an invalid message is reported in the form of the version, and ends only its own context', async (t) => {
  const simulator = await simulatorFor(t, { settings: { credits: 100 } });
  const client = await connect(t, simulator, PATH);
  const cases: readonly (readonly [object | string | Uint8Array, object])[] = [
    ['no json', { status_code: 400, error_code: null, title: 'Invalid request', message: /not a JSON object/ }],
    ['[]', { status_code: 400, message: /not a JSON object/ }],
    [Buffer.from('{}'), { status_code: 400, message: /JSON text/ }],
    [
      { ...REQUEST, transcript: 'x' },
      { status_code: 400, title: 'context_id is invalid', message: 'must not be empty' },
    ],
    [
      { ...REQUEST, transcript: 'x', context_id: 'a b' },
      { status_code: 400, title: 'context_id is invalid' },
    ],
    [
      { ...REQUEST, transcript: '', context_id: 'a' },
      { status_code: 400, context_id: 'a', message: /transcript/ },
    ],
    [
      { ...REQUEST, transcript: 'x', context_id: 'b', model_id: 'x' },
      { error_code: 'model_not_found', context_id: 'b' },
    ],
    [
      { ...REQUEST, transcript: 'x', context_id: 'c', language: 'en', locale: 'en-GB' },
      { status_code: 400, context_id: 'c', message: /locale/ },
    ],
    [
      { ...REQUEST, transcript: 'x', context_id: 'd', output_format: { ...REQUEST.output_format, container: 'wav' } },
      { status_code: 400, context_id: 'd', message: /container/ },
    ],
    [
      { ...REQUEST, transcript: 'x'.repeat(101), context_id: 'e' },
      { error_code: 'quota_exceeded', status_code: 402 },
    ],
  ];
  for (const [message, expected] of cases) {
    client.send(message);
    const error = await client.next();
    t.match(error, { type: 'error', done: true, ...expected });
    const id = 'context_id' in expected ? String(expected.context_id) : undefined;
    t.match(error['request_id'], id === undefined ? client.requestId : new RegExp(`^${client.requestId}(:|$)`));
  }
  t.equal(simulator.counters().tts.active, 0, 'no context is left behind');
  say(client, 'fine', 'Fine.');
  await client.until('done');
  client.socket.close();
  const entry = await simulator.journal.waitFor({ path: PATH });
  t.equal(entry.outcome, 'completed');
  t.equal(
    entry.frames.filter(({ from }) => from === 'client').length,
    cases.length + 2,
    'all frames are in the journal',
  );
});

test('older and unknown versions get older errors', async (t) => {
  const simulator = await simulatorFor(t);
  for (const version of ['2025-11-04', '2024-06-10', 'tomorrow', null]) {
    const client = await connect(t, simulator, PATH, { version });
    client.send({ ...REQUEST, transcript: 'x', model_id: 'x', context_id: 'a' });
    t.same(await client.next(), {
      type: 'error',
      status_code: 400,
      done: true,
      error: 'Invalid model: The model is not valid, make sure it is a valid model ID.',
      context_id: 'a',
    });
    client.send({ ...REQUEST, transcript: 'x' });
    t.same(await client.next(), {
      type: 'error',
      status_code: 400,
      done: true,
      error: 'context_id is invalid: must not be empty',
    });
  }
  const client = await connect(t, simulator, `${PATH}?cartesia_version=2026-03-01`, { version: '2025-04-16' });
  client.send('x');
  t.equal((await client.next())['title'], 'Invalid request', 'the query takes precedence over the header');
});

test('a setting makes the context_id optional, as older documentation has it', async (t) => {
  const simulator = await simulatorFor(t, { settings: { sockets: { contextIdRequired: false } } });
  const client = await connect(t, simulator, PATH, { version: '2025-04-16' });
  client.send({ ...REQUEST, voice: { mode: 'id', id: VOICE }, transcript: 'Nameless.' });
  t.equal((await client.until('done')).at(-1)?.['type'], 'done');
});

test('a client that does not read delays only its own audio', async (t) => {
  const simulator = await simulatorFor(t);
  const slow = await connect(t, simulator, PATH);
  slow.socket.pause();
  say(slow, 'slow', 'Too much to take in at once. '.repeat(1_500));
  const quick = await connect(t, simulator, PATH);
  say(quick, 'quick', 'Quick.');
  await quick.until('done');
  const [entry] = simulator.journal.entries({ path: PATH });
  await simulator.journal.waitFor({ path: PATH }, (candidate) => candidate === entry && candidate.bytesOut > 1_000_000);
  const sent = entry?.bytesOut ?? 0;
  // 43,500 characters are 84 MB of base64: far more than the sockets' buffers and the high-water mark can hold.
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  t.ok((entry?.bytesOut ?? 0) < 40_000_000, `stopped producing at ${entry?.bytesOut} bytes, from ${sent}`);
  t.equal(simulator.counters().tts.active, 1);
  slow.socket.terminate();
  await simulator.journal.waitFor(
    { path: PATH },
    (candidate) => candidate === entry && candidate.outcome === 'aborted',
  );
  t.equal(simulator.counters().tts.active, 0, 'and it releases everything when it is cut off');
});
