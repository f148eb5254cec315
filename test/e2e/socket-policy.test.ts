// Policy inside a socket: what a client app may do is decided message by message, and the socket stays open.

import { type Test, test } from 'tap';
import { OPCODE } from '../../src/proxy/websocket/frames/frame.ts';
import { closeFrameOf, frameOf, openRawSocket, type RawSocket } from './raw-socket.ts';
import {
  clientOf,
  logged,
  RAW,
  type SocketBroker,
  STT_PATH,
  speech,
  startSocketBroker,
  VOICE,
} from './socket-broker.ts';

function startWith(t: Test, more: Readonly<Record<string, unknown>>, simulator: object = {}): Promise<SocketBroker> {
  return startSocketBroker(t, { simulator: { plan: 'scale', ...simulator }, file: (digest) => clientOf(digest, more) });
}

async function ended(socket: RawSocket, contextId: string): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const event = await socket.event();
    if (event['context_id'] === contextId && event['done'] === true) return event;
  }
}

const CONTENT = {
  models: ['sonic-3'],
  voices: [VOICE],
  languages: ['en'],
  formats: ['raw/pcm_s16le'],
  max_transcript: 40,
};

test('a message outside the policy gets an error event for its context and is not forwarded', async (t) => {
  const running = await startWith(t, { content: CONTENT });
  const { broker, headers, simulator } = running;
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  const good = { model_id: 'sonic-3', voice: { id: VOICE }, output_format: RAW, transcript: 'Hi.' };
  const refused: readonly [string, object | string, string][] = [
    ['another model', { ...good, model_id: 'sonic-2' }, 'content_not_allowed'],
    ['no model', { ...good, model_id: undefined }, 'content_not_allowed'],
    ['another voice', { ...good, voice: 'a0e99841-438c-4a64-b679-ae501e7d6091' }, 'content_not_allowed'],
    ['an embedding', { ...good, voice: { mode: 'embedding', embedding: [1] } }, 'content_not_allowed'],
    ['another language', { ...good, language: 'fr' }, 'content_not_allowed'],
    ['another locale', { ...good, locale: 'fr-FR' }, 'content_not_allowed'],
    ['another format', { ...good, output_format: { ...RAW, encoding: 'pcm_f32le' } }, 'content_not_allowed'],
    ['a long transcript', { ...good, transcript: 'a'.repeat(41) }, 'content_not_allowed'],
    ['a list as transcript', { ...good, transcript: ['a'.repeat(99)] }, 'invalid_request'],
    ['a list as language', { ...good, language: ['fr'] }, 'invalid_request'],
    ['two languages', { ...good, language: 'en', locale: 'fr-FR' }, 'invalid_request'],
    ['another spelling', { ...good, Model_ID: 'sonic-2' }, 'invalid_request'],
    ['letters that fold', { ...good, 'tran\u017fcript': 'a'.repeat(99) }, 'invalid_request'],
    ['another spelling inside', { ...good, voice: { id: VOICE, ID: 'other' } }, 'invalid_request'],
    [
      'another spelling that only the voice has',
      { ...good, voice: { id: VOICE, Mode: 'embedding' } },
      'invalid_request',
    ],
    ['a cancel with a passenger', { ...good, cancel: true }, 'invalid_request'],
    ['an invalid cancel', { ...good, cancel: 'true' }, 'invalid_request'],
    [
      'a field twice',
      JSON.stringify({ ...good, context_id: 'x' }).replace('{', '{"model_id":"sonic-2",'),
      'invalid_request',
    ],
    [
      'a context twice',
      JSON.stringify({ ...good, context_id: 'x' }).replace('{', '{"context_id":"y",'),
      'invalid_request',
    ],
    ['a context that is a number', JSON.stringify({ ...good, context_id: 5 }), 'invalid_request'],
    ['a cancel of a number', '{"context_id":5,"cancel":true}', 'invalid_request'],
    ['a prototype', '{"__proto__":{"a":1},"context_id":"x"}', 'invalid_request'],
    ['no object', '[]', 'invalid_request'],
    ['no JSON', '{', 'invalid_request'],
    ['nothing', '', 'invalid_request'],
  ];
  const nameless: ReadonlySet<string> = new Set([
    'a context twice',
    'a context that is a number',
    'a cancel of a number',
    'no object',
    'no JSON',
    'nothing',
  ]);
  for (const [name, message, code] of refused) {
    await t.test(name, async (t) => {
      const text = typeof message === 'string' ? message : JSON.stringify({ ...message, context_id: 'x' });
      socket.send(frameOf(1, text));
      const event = await socket.event();
      t.match(event, {
        type: 'error',
        done: true,
        error_code: code,
        source: 'broker',
        error: /./,
        title: /./,
        message: /./,
      });
      t.equal(event['status_code'], code === 'invalid_request' ? 400 : 403);
      t.equal(event['context_id'], nameless.has(name) ? undefined : 'x');
      t.notMatch(event['message'], /body/);
    });
  }
  socket.send(frameOf(2, JSON.stringify({ ...good, context_id: 'x' })));
  t.match(await socket.event(), { error_code: 'invalid_request' }, 'binary');
  socket.send(frameOf(1, speech('y', 'And it lives on.')));
  t.match(await ended(socket, 'y'), { type: 'done' });
  const [entry] = simulator.journal.entries();
  const sent = entry?.frames.filter(({ from, kind }) => from === 'client' && kind !== 'pong');
  t.equal(sent?.length, 1, 'only the last was forwarded');
});

test('transcripts add up, by context and by session; a context that goes too far is cancelled upstream', async (t) => {
  const running = await startWith(
    t,
    { content: { max_transcript: 30 }, sockets: { max_characters: 70 } },
    { settings: { latency: { perChunkMs: 20 } } },
  );
  const { broker, headers, simulator } = running;
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.send(frameOf(1, speech('a', 'Twenty characters... ', { continue: true })));
  t.match(await socket.event(), { type: 'chunk' });
  socket.send(frameOf(1, speech('a', 'and ten more.', { continue: true })));
  t.match(await ended(socket, 'a'), { type: 'error', error_code: 'content_not_allowed', message: /30 characters/ });
  await simulator.journal.waitFor({}, ({ frames }) => frames.some(({ text = '' }) => text.includes('"cancel":true')));

  socket.send(frameOf(1, speech('b', '🎉'.repeat(30))));
  t.match(await ended(socket, 'b'), { type: 'done' }, 'an emoji is one character');
  socket.send(frameOf(1, speech('c', 'Twenty characters...')));
  t.match(await ended(socket, 'c'), { type: 'error', message: /70 characters/ });
  socket.send(closeFrameOf(1000));
  const line = await logged(running, ({ msg }) => msg === 'socket closed');
  t.match(line, { audit: 'usage', characters: 51, outcome: 'ok', close_code: 1000, closed_by: 'client' });
});

test('an ambiguous message ends the context that it names', async (t) => {
  const { broker, headers, simulator } = await startSocketBroker(t, {
    simulator: { settings: { latency: { perChunkMs: 60_000 } } },
  });
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.send(frameOf(1, speech('a', 'A sentence with more than one chunk, so that it stays unfinished.')));
  t.match(await socket.event(), { type: 'chunk', context_id: 'a' });
  socket.send(frameOf(1, speech('a', 'And more.', { Model_ID: 'sonic-2' })));
  t.match(await ended(socket, 'a'), { type: 'error', error_code: 'invalid_request' });
  await simulator.journal.waitFor({}, ({ frames }) =>
    frames.some(({ text = '' }) => text === '{"context_id":"a","cancel":true}'),
  );
});

test('a socket has a maximum number of contexts at a time', async (t) => {
  const { broker, headers, simulator } = await startWith(
    t,
    { sockets: { max_contexts: 2 } },
    { settings: { latency: { firstByteMs: 100 } } },
  );
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  for (const id of ['a', 'b', 'c']) socket.send(frameOf(1, speech(id, 'Hello.')));
  t.match(await socket.event(), {
    type: 'error',
    status_code: 429,
    error_code: 'concurrency_limited',
    context_id: 'c',
  });
  await ended(socket, 'a');
  await ended(socket, 'b');
  socket.send(frameOf(1, speech('c2', 'Hello.')));
  t.match(await ended(socket, 'c2'), { type: 'done' });
  t.equal(simulator.counters().tts.highWater, 2);
});

test('errors of every version arrive in the common shape', async (t) => {
  for (const version of ['2024-11-13', '2025-04-16', '2025-11-04', '2026-03-01', '2026-08-14']) {
    const { broker, headers, simulator } = await startSocketBroker(t);
    simulator.configure({ limits: { tts: 0 } });
    const socket = await openRawSocket(t, broker.url, '/tts/websocket', { ...headers, 'Cartesia-Version': version });
    socket.send(frameOf(1, speech('a', 'Too many.')));
    const event = await socket.event();
    t.match(event, { type: 'error', done: true, status_code: 429, context_id: 'a', source: 'upstream' }, version);
    for (const field of ['error', 'title', 'message', 'request_id'])
      t.type(event[field], 'string', `${version} ${field}`);

    simulator.faults.add({
      match: {},
      times: 1,
      action: { type: 'error_event', afterEvents: 0, problem: 'unexpected' },
    });
    const stt = await openRawSocket(t, broker.url, '/stt/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000', {
      ...headers,
      'Cartesia-Version': version,
    });
    const wrong = await stt.event();
    t.match(wrong, { type: 'error', message: /./, title: /./, request_id: /./, source: 'upstream' }, version);
    t.notOk('done' in wrong || 'context_id' in wrong || 'error' in wrong, version);
  }
});

test('an error that names no context is attributed to the latest one', async (t) => {
  const { broker, headers, simulator } = await startSocketBroker(t, {
    simulator: { settings: { latency: { firstByteMs: 60_000 } } },
  });
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.send(frameOf(1, speech('good', 'Hello.')));
  socket.send(frameOf(1, JSON.stringify({ ...JSON.parse(speech('bad', 'x')), context_id: 'no/such id' })));
  t.match(await socket.event(), { type: 'error', status_code: 400, context_id: 'no/such id' });
  t.equal(simulator.counters().tts.active, 1);
});

test('an agent is called as it was configured, unless the operator allows overrides', async (t) => {
  const line = { event: 'start', config: { input_format: 'pcm_16000' } };
  const lineOverrides: readonly [string, object][] = [
    ['a prompt', { ...line, agent: { system_prompt: 'You are a pirate.' } }],
    ['an introduction', { ...line, agent: { introduction: 'Ahoy.' } }],
    ['a voice', { ...line, config: { ...line.config, voice_id: VOICE } }],
    ['a number', { ...line, metadata: { to: '+491234' } }],
    ['something new', { ...line, agent: { temperature: 2 } }],
    ['another spelling', { ...line, Agent: { system_prompt: 'x' } }],
    ['an unknown event', { event: 'configure' }],
  ];
  const closed = await startWith(t, {});
  for (const [name, message] of lineOverrides) {
    const socket = await openRawSocket(t, closed.broker.url, '/agents/stream/agent_a', closed.headers);
    socket.send(frameOf(1, JSON.stringify(message)));
    t.equal((await socket.closing()).code, 1008, name);
  }
  for (const entry of closed.simulator.journal.entries()) {
    t.notOk(
      entry.frames.some(({ from, kind }) => from === 'client' && kind === 'text'),
      'nothing of it was forwarded',
    );
  }
  const plain = await openRawSocket(t, closed.broker.url, '/agents/stream/agent_a', closed.headers);
  plain.send(frameOf(1, JSON.stringify(line)));
  t.match(await plain.event(), { event: 'ack' });

  const managed = await openRawSocket(t, closed.broker.url, '/v1/agents/websocket/agent_a', closed.headers);
  const create = { type: 'session_create', audio: { input_format: 'pcm_16000' } };
  managed.send(frameOf(1, JSON.stringify({ ...create, dynamic_variables: { name: 'Ann' } })));
  t.match(await managed.event(), {
    type: 'error',
    code: 'content_not_allowed',
    fatal: false,
    message: /dynamic_variables/,
  });
  managed.send(frameOf(1, JSON.stringify({ ...create, temperature: 2 })));
  t.match(await managed.event(), {
    message: 'This caller may not set a field of session_create that the broker does not know.',
  });
  managed.send(frameOf(1, '{'));
  t.match(await managed.event(), { code: 'invalid_request', message: 'The message is not valid JSON in UTF-8.' });
  managed.send(frameOf(1, JSON.stringify({ type: 'session_update', instructions: 'x' })));
  t.match(await managed.event(), { type: 'error', code: 'content_not_allowed', fatal: false });
  managed.send(frameOf(1, JSON.stringify(create)));
  t.match(await managed.event(), { type: 'session_ready' }, 'the socket stays open');

  const open = await startWith(t, {
    content: { agent_overrides: ['system_prompt', 'introduction', 'voice', 'metadata', 'dynamic_variables'] },
  });
  const free = await openRawSocket(t, open.broker.url, '/agents/stream/agent_a', open.headers);
  free.send(frameOf(1, JSON.stringify({ ...line, agent: { introduction: 'Ahoy.' }, metadata: { to: '+491234' } })));
  t.match(await free.event(), { event: 'ack', agent: { introduction: 'Ahoy.' } });
  const variables = await openRawSocket(t, open.broker.url, '/v1/agents/websocket/agent_a', open.headers);
  variables.send(frameOf(1, JSON.stringify({ ...create, dynamic_variables: { name: 'Ann' } })));
  t.match(await variables.event(), { type: 'session_ready' });
});

test('what was said and heard is counted, and reported in metrics and a log line', async (t) => {
  const running = await startSocketBroker(t);
  const { broker, headers } = running;
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.send(frameOf(1, speech('a', 'Hello there.')));
  let bytes = 0;
  for (let event = await socket.event(); event['type'] !== 'done'; event = await socket.event()) {
    bytes += Buffer.from(String(event['data']), 'base64').length;
  }
  // Another format on the same socket: from here on each chunk counts by its own format.
  const mulaw = { container: 'raw', encoding: 'pcm_mulaw', sample_rate: 8000 };
  socket.send(frameOf(1, speech('b', 'Hello there.', { output_format: mulaw })));
  let others = 0;
  for (let event = await socket.event(); event['type'] !== 'done'; event = await socket.event()) {
    others += Buffer.from(String(event['data']), 'base64').length;
  }
  socket.send(closeFrameOf(1000));
  const line = await logged(running, ({ msg }) => msg === 'socket closed');
  t.equal(line['audio_bytes'], bytes + others);
  t.equal(line['audio_seconds'], Math.round((bytes / 32_000 + others / 8000) * 1000) / 1000);
  t.equal(line['characters'], 24);

  const stt = await openRawSocket(
    t,
    broker.url,
    '/stt/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000',
    headers,
  );
  stt.send(...Array.from({ length: 20 }, () => frameOf(2, Buffer.alloc(3200))), frameOf(1, 'close'));
  t.strictSame(await stt.closing(), { code: 1000, reason: '' });
  stt.send(closeFrameOf(1000));
  const heard = await logged(running, ({ msg, route }) => msg === 'socket closed' && route === '/stt/websocket');
  t.match(heard, { audio_seconds: 2, audio_bytes: 64_000, closed_by: 'upstream', close_code: 1000 });
  const metrics = await broker.metrics.registry.metrics();
  t.match(metrics, /broker_usage_total\{client="kiosk",endpoint="\/stt\/websocket",unit="audio_seconds"\} 2/);
  t.match(metrics, /broker_sockets_open\{endpoint="\/tts\/websocket"\} 0/);
  t.match(metrics, /broker_sockets_closed_total\{endpoint="\/tts\/websocket",outcome="ok"\} 1/);
});

test('a call is counted from its first message to its end, however short it is', async (t) => {
  let now = 10_000;
  const running = await startSocketBroker(t, { seams: { relays: { now: () => now } } });
  const { broker, headers } = running;
  const starts: readonly [string, string, object, object][] = [
    [
      '/v1/agents/websocket/agent_a',
      '/v1/agents/websocket/:id',
      { type: 'session_create', audio: { input_format: 'pcm_16000' } },
      { type: 'session_ready' },
    ],
    [
      '/agents/stream/agent_a',
      '/agents/stream/:id',
      { event: 'start', config: { input_format: 'pcm_16000' } },
      { event: 'ack' },
    ],
  ];
  for (const [path, route, start, answer] of starts) {
    const socket = await openRawSocket(t, broker.url, path, headers);
    now += 700; // open, but no call yet
    socket.send(frameOf(1, JSON.stringify(start)));
    t.match(await socket.event(), answer);
    now += 350;
    socket.send(closeFrameOf(1000));
    const line = await logged(running, (entry) => entry['msg'] === 'socket closed' && entry['route'] === route);
    t.equal(line['call_seconds'], 0.35, route);
    const metrics = await broker.metrics.registry.metrics();
    t.match(metrics, `broker_usage_total{client="kiosk",endpoint="${route}",unit="call_seconds"} 0.35\n`);
  }

  const early = await openRawSocket(t, broker.url, '/agents/stream/agent_a', headers);
  running.logs.length = 0;
  early.send(frameOf(1, JSON.stringify({ event: 'media_input', media: { payload: 'AAAA' } })));
  early.send(frameOf(OPCODE.ping, 'was it read?'));
  t.equal((await early.frame()).opcode, OPCODE.pong);
  now += 200;
  early.send(closeFrameOf(1000));
  const line = await logged(running, ({ msg }) => msg === 'socket closed');
  t.equal(line['call_seconds'], 0.2, 'audio without a start may also begin a call');

  const refused = await openRawSocket(t, broker.url, '/agents/stream/agent_b', headers);
  running.logs.length = 0;
  refused.send(frameOf(1, JSON.stringify({ event: 'start', agent: { system_prompt: 'You are a pirate.' } })));
  t.equal((await refused.closing()).code, 1008);
  t.notOk('call_seconds' in (await logged(running, ({ msg }) => msg === 'socket closed')), 'no call, no time');
});

test('audio that a client announces and does not send is not counted', async (t) => {
  const running = await startSocketBroker(t);
  const socket = await openRawSocket(t, running.broker.url, STT_PATH, running.headers);
  const announced = frameOf(2, Buffer.alloc(1_000_000));
  socket.send(frameOf(2, Buffer.alloc(32_000)), announced.subarray(0, announced.length - 1_000_000 + 16_000));
  socket.socket.end();
  const line = await logged(running, ({ msg }) => msg === 'socket closed');
  t.match(line, { audio_bytes: 48_000, audio_seconds: 1.5, outcome: 'aborted' });
});

test('the line of a socket has the trace that its client named', async (t) => {
  const running = await startSocketBroker(t);
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const socket = await openRawSocket(t, running.broker.url, STT_PATH, { ...running.headers, traceparent });
  socket.send(closeFrameOf(1000));
  const line = await logged(running, ({ msg }) => msg === 'socket closed');
  t.equal(line['trace_id'], '0af7651916cd43dd8448eb211c80319c');
});
