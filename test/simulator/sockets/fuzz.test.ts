// 10,000 random messages for each kind of socket: nothing crashes, nothing leaks, and the socket still works.

import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { type Test, test } from 'tap';
import { WebSocket } from 'ws';
import { SIMULATOR_FAILURE } from '../../../src/simulator/sockets/session.ts';
import { simulatorFor, VOICE } from '../call.ts';
import { connect, type SocketClient } from './socket-client.ts';
import { spoken } from './speech.ts';

const RUNS = 100;
const MESSAGES = 100;

type Sent = string | Uint8Array;

/** One of these values, or now and then any other. */
const field = (...values: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: fc.jsonValue() });

const text = fc.oneof(fc.lorem({ maxCount: 3 }), fc.string({ unit: 'binary', maxLength: 20 }), fc.constant(''));

/** Pseudo-random bytes from a seed, because fast-check would take far longer to choose them one by one. */
const noise = fc
  .tuple(fc.nat(), fc.nat(4_000))
  .map(([seed, length]) => Uint8Array.from({ length }, (_, n) => Math.imul(seed + n, 0x9e3779b1) >>> 24));

/** Messages of a protocol with missing or replaced fields, truncated ones, and data that is no message at all. */
function messages(...shapes: readonly fc.Arbitrary<unknown>[]): fc.Arbitrary<Sent> {
  const meant = fc.oneof(...shapes).map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  return fc.oneof(
    { weight: 12, arbitrary: meant },
    { weight: 1, arbitrary: meant.chain((whole) => fc.nat(whole.length).map((end) => whole.slice(0, end))) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 2, arbitrary: noise },
  );
}

const PROTO = { requiredKeys: [] as [] };

const contextIds = fc.constantFrom(...Array.from({ length: 40 }, (_, n) => `context-${n}`));

/** A valid generation, with at most one field spoilt. */
const generation = fc
  .record(
    {
      model_id: fc.constant('sonic-3'),
      transcript: text,
      voice: fc.constantFrom(VOICE, { id: VOICE }, { mode: 'id', id: VOICE }),
      output_format: fc.constantFrom(
        { container: 'raw', encoding: 'pcm_s16le', sample_rate: 8_000 },
        { container: 'raw', encoding: 'pcm_mulaw', sample_rate: 8_000 },
      ),
      context_id: contextIds,
      continue: fc.boolean(),
      flush: fc.boolean(),
      max_buffer_delay_ms: fc.constantFrom(0, 1, 5_000),
      add_timestamps: fc.boolean(),
      add_phoneme_timestamps: fc.boolean(),
      generation_config: fc.constant({ speed: 1.5, volume: 2 }),
    },
    { requiredKeys: ['model_id', 'transcript', 'voice', 'output_format', 'context_id'] },
  )
  .chain((good) => {
    const spoilt = fc
      .tuple(fc.constantFrom(...Object.keys(good), 'language', 'cancel', '__proto__'), fc.jsonValue())
      .map(([name, value]) => ({ ...good, [name]: value }));
    return fc.oneof({ weight: 3, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: spoilt });
  });

const tts = messages(generation, generation, fc.record({ context_id: contextIds, cancel: fc.constant(true) }));

/** Real speech is a placeholder in generated messages, so that counterexamples stay readable, and is inserted when they are sent. */
const SPEECH = ['Hi', 'transfer', 'goodbye', 'look me up', 'press 5', ''].map((words) =>
  Buffer.concat(spoken(words, 0.9)),
);
const speech = fc.nat(SPEECH.length - 1).map((index) => `@speech${index}`);

function withSpeech(message: Sent): Sent {
  if (typeof message !== 'string') return message;
  const [name, index] = /^@speech(\d)$/.exec(message) ?? [];
  if (name !== undefined) return SPEECH[Number(index)] ?? message;
  return message.replace(/@speech(\d)/, (found, digit) => SPEECH[Number(digit)]?.toString('base64') ?? found);
}

const stt = messages(fc.constantFrom('finalize', 'finalize', 'close', 'done', ' finalize', '"close"'));
const turns = messages(
  fc.record({ type: field('config', 'config', 'close') }, PROTO),
  fc.record({
    type: fc.constant('config'),
    turn: fc.record(
      {
        start_threshold: field(0.8, -1, 1e308),
        eager_end_threshold: field(0.6, 2),
        end_threshold: field(0.3, null),
        end_timeout_ms: field(640, -1, 1e300),
      },
      PROTO,
    ),
  }),
);
const stream = (kind: fc.Arbitrary<Sent>) =>
  fc.oneof({ weight: 9, arbitrary: kind }, { weight: 1, arbitrary: speech as fc.Arbitrary<Sent> });

const base64 = fc.oneof({ weight: 1, arbitrary: speech }, { weight: 4, arbitrary: fc.string() });
const line = messages(
  fc.record({
    event: field('start', 'start', 'media_input', 'dtmf', 'custom'),
    stream_id: field('s'),
    config: field({ input_format: 'pcm_16000' }, { input_format: 'mulaw_8000', voice_id: 'x' }, { input_format: 'x' }),
    agent: field({ introduction: 'Hi' }, {}),
    dtmf: field('1', '#', '12'),
    metadata: field({ a: 1 }),
  }),
  fc.record({ event: fc.constant('media_input'), media: fc.record({ payload: base64 }, PROTO) }),
);
const managed = messages(
  fc.record(
    {
      type: field('session_create', 'dtmf_input', 'client_tool_result'),
      audio: field({ input_format: 'pcm_16000', output_delivery: 'as_available' }, { input_format: 'x' }),
      dynamic_variables: field({}, { a: 1 }, { system__a: 1 }),
      digit: field('1', '12'),
      tool_call_id: field('x'),
      result: field('x'),
    },
    PROTO,
  ),
  fc.record({
    type: fc.constant('session_create'),
    audio: fc.constant({ input_format: 'pcm_16000', output_delivery: 'as_available' }),
  }),
  fc.record({ type: fc.constant('audio_input'), audio: base64 }),
);

const QUERY = '?model=ink-2&encoding=pcm_s16le&sample_rate=16000';

interface Kind {
  readonly path: string;
  readonly message: fc.Arbitrary<Sent>;
  /** Proves that a fresh socket of this kind works. */
  readonly works: (client: SocketClient) => Promise<unknown>;
}

const KINDS: readonly Kind[] = [
  {
    path: '/tts/websocket',
    message: tts,
    works: (client) => {
      const output_format = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 8_000 };
      client.send({
        model_id: 'sonic-3',
        transcript: 'Yes.',
        voice: { id: VOICE },
        output_format,
        context_id: 'works',
      });
      return client.until('done');
    },
  },
  {
    path: `/stt/websocket${QUERY}`,
    message: stream(stt),
    works: (client) => {
      client.send('close');
      return client.until('done');
    },
  },
  { path: `/stt/turns/websocket${QUERY}`, message: stream(turns), works: (client) => client.until('connected') },
  {
    path: '/agents/stream/agent_1',
    message: line,
    works: (client) => {
      client.send({ event: 'start', config: { input_format: 'pcm_16000' } });
      return client.until('ack');
    },
  },
  {
    path: '/v1/agents/websocket/agent_1',
    message: managed,
    works: (client) => {
      client.send({ type: 'session_create', audio: { input_format: 'pcm_16000' } });
      return client.until('session_ready');
    },
  },
];

for (const { path, message, works } of KINDS) {
  test(`${path.split('?')[0]}: ${RUNS * MESSAGES} random messages neither crash it nor leak`, {
    timeout: 120_000,
  }, async (t: Test) => {
    const simulator = await simulatorFor(t, {
      plan: 'scale',
      settings: { agents: { introduction: 'Hi' }, journal: { maximumEntries: 10_000 } },
    });
    const url = `${simulator.url.replace('http', 'ws')}${path}`;
    let sent = 0;
    let reasons: string[] = [];

    const open = async () => {
      const socket = new WebSocket(url, {
        headers: { authorization: `Bearer ${simulator.apiKey}`, 'cartesia-version': '2026-08-14' },
      });
      socket.on('message', () => {});
      socket.on('error', () => {});
      socket.on('close', (_code, reason) => reasons.push(String(reason)));
      await once(socket, 'open');
      return socket;
    };
    const isQuiet = () =>
      Object.values(simulator.counters()).every((counter) => typeof counter === 'number' || counter.active === 0);
    /** Contexts end on their own even while the socket stays open, within the longest delay and the expiry after it. */
    const contextsEnd = async () => {
      for (let n = 0; n < 5_000 && simulator.counters().tts.active > 0; n += 1) {
        if (n % 50 === 49) simulator.clock.advance(1_000);
        await turn();
      }
      return simulator.counters().tts.active === 0;
    };

    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: MESSAGES, maxLength: MESSAGES, size: 'max' }), async (batch) => {
        reasons = [];
        let socket = await open();
        for (const item of batch) {
          if (socket.readyState !== socket.OPEN) socket = await open();
          socket.send(withSpeech(item));
          sent += 1;
          // Now and then the server gets a turn, so that closes and errors also occur within a batch.
          if (sent % 7 === 0) await turn();
        }
        if (socket.readyState === socket.OPEN) {
          const ended = once(socket, 'close');
          socket.ping();
          await Promise.race([once(socket, 'pong'), ended]);
        }
        const haveEnded = await contextsEnd();
        if (socket.readyState !== socket.CLOSED) {
          const ended = once(socket, 'close');
          socket.terminate();
          await ended;
        }
        for (let n = 0; n < 1_000 && !isQuiet(); n += 1) await turn();
        return haveEnded && isQuiet() && !reasons.includes(SIMULATOR_FAILURE);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    t.ok(sent >= RUNS * MESSAGES, `${sent} messages`);
    const { tts: contexts } = simulator.counters();
    if (path === '/tts/websocket') t.ok(contexts.granted > 500, `including ${contexts.granted} contexts`);
    await t.resolves(works(await connect(t, simulator, path)), 'it still works');
  });
}
