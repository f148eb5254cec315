// The simulator sends or accepts every published WebSocket payload in its versions.

import { readFileSync } from 'node:fs';
import { type Test, test } from 'tap';
import type { FaultAction } from '../../../src/simulator/faults.ts';
import type { SettingsPatch } from '../../../src/simulator/settings-patch.ts';
import type { Simulator } from '../../../src/simulator/simulator.ts';
import { simulatorFor } from '../call.ts';
import { connect, type Message, type SocketClient } from './socket-client.ts';
import { spoken } from './speech.ts';

interface Fixture {
  readonly file: string;
  readonly kind: string;
  readonly transport: string;
  readonly endpoint: string;
  readonly direction: 'client' | 'server';
  readonly version_min: string | null;
  readonly version_below: string | null;
  readonly close_code?: number | null;
}

interface Scenario {
  /** Settings of the simulator; default: none. */
  readonly settings?: SettingsPatch;
  readonly fault?: FaultAction;
  readonly credential?: (simulator: Simulator) => string;
  /** Narrower than the index, which names no version for some payloads described as older. */
  readonly only?: (version: string | null) => boolean;
  readonly play: (client: SocketClient, payload: string) => Promise<unknown> | unknown;
}

const FOLDER = new URL('../../fixtures/cartesia/', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, FOLDER), 'utf8');
const { fixtures } = JSON.parse(read('index.json')) as { fixtures: readonly Fixture[] };

/** The published versions, one that is not a date, and none. */
const VERSIONS = ['2024-06-10', '2024-11-13', '2025-04-16', '2025-11-04', '2026-03-01', '2026-08-14', 'latest', null];

/** Whether a fixture belongs to a version; a version that is not a date counts as the oldest. */
function belongs({ version_min: from, version_below: below }: Fixture, version: string | null): boolean {
  const date = version === null || version === 'latest' ? '0000-00-00' : version;
  return (from === null || date >= from) && (below === null || date < below);
}

const STT_QUERY = '?model=ink-2&encoding=pcm_s16le&sample_rate=16000';
const PATHS: Readonly<Record<string, string>> = {
  '/tts/websocket': '/tts/websocket',
  '/stt/websocket': `/stt/websocket${STT_QUERY}`,
  '/stt/turns/websocket': `/stt/turns/websocket${STT_QUERY}`,
  '/agents/stream/{agent_id}': '/agents/stream/agent_fixture_1',
  '/v1/agents/websocket/{agent_id}': '/v1/agents/websocket/agent_fixture_1',
};

/** A generation that every version accepts. */
const GENERATE = JSON.parse(read('ws.tts.client.generate.legacy-voice.json')) as Message;
const FINISH = { ...GENERATE, transcript: '', continue: false };
const SILENT_AGENT: SettingsPatch = { agents: { introduction: '' } };

const generate =
  (...messages: readonly Message[]) =>
  async (client: SocketClient) => {
    for (const message of messages) client.send(message);
    await client.until(({ type }) => type === 'done' || type === 'error');
  };
const speak = async (client: SocketClient, text: string, silenceSeconds = 0) => {
  for (const frame of spoken(text, silenceSeconds)) client.send(frame);
};
const heard = (wanted: string, first: (client: SocketClient) => unknown) => async (client: SocketClient) => {
  await first(client);
  return client.next(wanted);
};
/** Sends the fixture after the `beginning`, and waits for the answer that shows it was understood. */
const answered =
  (wanted: string, beginning: readonly Message[] = []) =>
  async (client: SocketClient, payload: string) => {
    for (const message of beginning) client.send(message);
    client.send(payload);
    return client.next(wanted);
  };
const managed = (text: string) => async (client: SocketClient) => {
  client.send(SESSION_CREATE);
  for (const frame of spoken(text, 0.8))
    client.send({ type: 'audio_input', audio: Buffer.from(frame).toString('base64') });
};
const line = (text: string) => async (client: SocketClient) => {
  client.send(LINE_START);
  for (const frame of spoken(text, 0.8)) {
    client.send({ event: 'media_input', media: { payload: Buffer.from(frame).toString('base64') } });
  }
};
const SESSION_CREATE = JSON.parse(read('ws.agent-managed.client.session-create.json')) as Message;
const LINE_START = JSON.parse(read('ws.agent-line.client.start.json')) as Message;
const LINE_INTRODUCTION = JSON.parse(read('ws.agent-line.client.start.overrides.json')) as Message;
/** For payloads that the server never sends by itself, so that a fault has to inject them. */
const asGarbage = (file: string, play: Scenario['play']): Scenario => ({
  fault: { type: 'garbage_socket', as: 'text', bytes: JSON.stringify(JSON.parse(read(file))), afterFrames: 0 },
  play,
});
const nothing = () => {};

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'ws.tts.client.generate.json': { play: answered('chunk') },
  'ws.tts.client.generate.voice-object.json': { play: answered('chunk') },
  'ws.tts.client.generate.legacy-voice.json': { play: answered('chunk') },
  'ws.tts.client.generate.full.json': { play: answered('phoneme_timestamps') },
  // Documented as invalid, and answered with 400.
  'ws.tts.client.generate.no-context-id.json': { play: answered('error') },
  'ws.tts.client.generate.language-and-locale.json': { play: answered('error') },
  'ws.tts.client.continue.json': { play: answered('chunk', [{ ...GENERATE, transcript: 'First ' }]) },
  'ws.tts.client.finish.json': { play: answered('done', [GENERATE]) },
  'ws.tts.client.flush.json': { play: answered('flush_done', [GENERATE]) },
  'ws.tts.client.cancel.json': { play: answered('done', [GENERATE]) },
  'ws.tts.server.chunk.json': { play: generate(GENERATE, FINISH) },
  'ws.tts.server.chunk.16k.json': { play: generate(GENERATE, FINISH) },
  'ws.tts.server.chunk.flush-id.json': { play: generate({ ...GENERATE, flush: true }, FINISH) },
  'ws.tts.server.timestamps.json': { play: generate(GENERATE, FINISH) },
  'ws.tts.server.phoneme-timestamps.json': {
    play: generate({ ...GENERATE, add_phoneme_timestamps: true }, FINISH),
  },
  'ws.tts.server.flush-done.json': { play: generate({ ...GENERATE, flush: true }, FINISH) },
  'ws.tts.server.done.json': { play: generate(GENERATE, FINISH) },
  'ws.tts.server.unknown-type.json': asGarbage('ws.tts.server.unknown-type.json', nothing),
  'ws.tts.error.structured.concurrency_limited.json': { settings: { limits: { tts: 0 } }, play: generate(GENERATE) },
  'ws.tts.error.structured.model_not_found.json': { play: generate({ ...GENERATE, model_id: 'sonic-0' }) },
  'ws.tts.error.structured.quota_exceeded.json': { settings: { credits: 0 }, play: generate(GENERATE) },
  'ws.tts.error.structured.null-code.json': {
    fault: { type: 'error_event', afterEvents: 1, problem: 'unexpected' },
    play: generate(GENERATE),
  },
  'ws.tts.error.structured.no-context.json': {
    fault: { type: 'error_event', afterEvents: 0, problem: 'concurrency_limited' },
    play: nothing,
  },
  'ws.tts.error.structured.minimal.json': asGarbage('ws.tts.error.structured.minimal.json', nothing),
  'ws.tts.error.legacy.with-context.json': { settings: { limits: { tts: 0 } }, play: generate(GENERATE) },
  'ws.tts.error.legacy.no-context.json': { play: generate({ ...GENERATE, context_id: undefined }) },
  'ws.tts.error.superset.json': asGarbage('ws.tts.error.superset.json', nothing),

  'ws.stt.client.finalize.txt': { play: answered('flush_done') },
  'ws.stt.client.close.txt': { play: answered('done') },
  'ws.stt.client.done.txt': { play: answered('done') },
  'ws.stt.server.transcript.interim.json': { play: heard('transcript', (client) => speak(client, 'How are')) },
  'ws.stt.server.transcript.final.json': {
    play: async (client) => {
      await speak(client, 'How are you doing today?');
      client.send('finalize');
      await client.next('flush_done');
    },
  },
  'ws.stt.server.flush-done.json': {
    only: (version) => version === null || version >= '2026-03-01',
    play: heard('flush_done', (client) => client.send('finalize')),
  },
  'ws.stt.server.flush-done.older.json': {
    only: (version) => version !== null && version < '2026-03-01',
    play: heard('flush_done', (client) => client.send('finalize')),
  },
  'ws.stt.server.done.json': {
    only: (version) => version === null || version >= '2026-03-01',
    play: heard('done', (client) => client.send('close')),
  },
  'ws.stt.error.structured.json': {
    settings: { limits: { stt: 0 }, sockets: { sttLimit: 'event' } },
    play: nothing,
  },
  'ws.stt.error.structured.minimal.json': asGarbage('ws.stt.error.structured.minimal.json', nothing),
  'ws.stt.error.legacy.json': { settings: { limits: { stt: 0 }, sockets: { sttLimit: 'event' } }, play: nothing },

  'ws.stt-turns.client.close.json': {
    play: async (client, payload) => {
      client.send(payload);
      await client.closed;
    },
  },
  'ws.stt-turns.client.config.json': {
    play: async (client, payload) => {
      client.send(payload);
      await speak(client, 'Fine.', 1);
      await client.next('turn.end');
    },
  },
  'ws.stt-turns.server.connected.json': { play: (client) => client.next('connected') },
  'ws.stt-turns.server.turn-start.json': { play: heard('turn.start', (client) => speak(client, 'How')) },
  'ws.stt-turns.server.turn-update.json': { play: heard('turn.update', (client) => speak(client, 'How are')) },
  'ws.stt-turns.server.turn-eager-end.json': {
    play: heard('turn.eager_end', (client) => speak(client, 'How are you', 0.5)),
  },
  'ws.stt-turns.server.turn-resume.json': {
    play: heard('turn.resume', async (client) => {
      await speak(client, 'How', 0.5);
      await speak(client, ' are');
    }),
  },
  'ws.stt-turns.server.turn-end.json': {
    play: heard('turn.end', (client) => speak(client, 'How are you doing today?', 1)),
  },
  'ws.stt-turns.error.structured.json': { play: nothing },

  'ws.agent-line.client.start.json': { settings: SILENT_AGENT, play: answered('ack') },
  'ws.agent-line.client.start.overrides.json': { play: answered('media_output') },
  'ws.agent-line.client.media-input.json': {
    settings: SILENT_AGENT,
    play: async (client, payload) => {
      client.send(LINE_START);
      client.send(payload);
      client.send(JSON.parse(read('ws.agent-line.client.custom.json')) as Message);
      await client.next('custom');
    },
  },
  'ws.agent-line.client.dtmf.json': { settings: SILENT_AGENT, play: answered('dtmf', [LINE_START]) },
  'ws.agent-line.client.custom.json': { settings: SILENT_AGENT, play: answered('custom', [LINE_START]) },
  'ws.agent-line.server.ack.json': { settings: SILENT_AGENT, play: heard('ack', (client) => client.send(LINE_START)) },
  'ws.agent-line.server.media-output.json': { play: heard('media_output', (client) => client.send(LINE_START)) },
  'ws.agent-line.server.clear.json': {
    play: heard('clear', async (client) => {
      client.send({ ...LINE_INTRODUCTION, stream_id: 'stream_fixture_1', config: { input_format: 'pcm_16000' } });
      await client.next('media_output');
      for (const frame of spoken('Hey')) {
        client.send({ event: 'media_input', media: { payload: Buffer.from(frame).toString('base64') } });
      }
    }),
  },
  'ws.agent-line.server.dtmf.json': { settings: SILENT_AGENT, play: heard('dtmf', line('press 1')) },
  'ws.agent-line.server.custom.json': {
    settings: SILENT_AGENT,
    play: heard('custom', (client) => {
      client.send(LINE_START);
      client.send({ event: 'custom', metadata: { k: 'v' } });
    }),
  },
  'ws.agent-line.server.transfer-call.json': { settings: SILENT_AGENT, play: heard('transfer_call', line('transfer')) },

  'ws.agent-managed.client.session-create.json': { play: answered('session_ready') },
  'ws.agent-managed.client.session-create.dynamic-variables.json': { play: answered('session_ready') },
  'ws.agent-managed.client.audio-input.json': {
    settings: SILENT_AGENT,
    play: async (client, payload) => {
      client.send(SESSION_CREATE);
      client.send(payload);
      client.send({ type: 'dtmf_input', digit: '5' });
      await client.next('dtmf_output');
    },
  },
  'ws.agent-managed.client.dtmf-input.json': {
    settings: SILENT_AGENT,
    play: answered('dtmf_output', [SESSION_CREATE]),
  },
  'ws.agent-managed.client.client-tool-result.json': {
    settings: SILENT_AGENT,
    play: async (client, payload) => {
      await managed('look me up')(client);
      const { tool_call_id: id } = await client.next('client_tool_call');
      client.send(payload.replace('tc_fixture_1', String(id)));
      await client.next('audio_output');
    },
  },
  'ws.agent-managed.server.session-ready.json': {
    play: heard('session_ready', (client) => client.send(SESSION_CREATE)),
  },
  'ws.agent-managed.server.audio-output.json': {
    play: heard('audio_output', (client) => client.send(SESSION_CREATE)),
  },
  'ws.agent-managed.server.audio-output-clear.json': {
    play: heard('audio_output_clear', async (client) => {
      client.send(SESSION_CREATE);
      await client.next('audio_output');
      client.send({ type: 'dtmf_input', digit: '5' });
    }),
  },
  'ws.agent-managed.server.dtmf-output.json': {
    settings: SILENT_AGENT,
    play: heard('dtmf_output', managed('press #')),
  },
  'ws.agent-managed.server.client-tool-call.json': {
    settings: SILENT_AGENT,
    play: heard('client_tool_call', managed('look me up')),
  },
  'ws.agent-managed.server.turn-started.json': {
    play: heard('turn_started', (client) => client.send(SESSION_CREATE)),
  },
  'ws.agent-managed.server.turn-output-text-delta.json': {
    play: heard('turn_output_text_delta', (client) => client.send(SESSION_CREATE)),
  },
  'ws.agent-managed.server.turn-ended.json': {
    settings: SILENT_AGENT,
    play: async (client) => {
      await managed('look me up')(client);
      const { tool_call_id: id } = await client.next('client_tool_call');
      client.send({ type: 'client_tool_result', tool_call_id: id, result: 'Ada' });
      await client.next('turn_ended');
    },
  },
  'ws.agent-managed.server.turn-ended.user.json': { settings: SILENT_AGENT, play: heard('turn_ended', managed('Hi.')) },
  'ws.agent-managed.error.invalid_event.json': { play: heard('error', (client) => client.send({ type: 'x' })) },
  'ws.agent-managed.error.agent_failed.json': { settings: SILENT_AGENT, play: heard('error', managed('break down')) },
  'ws.agent-managed.error.missing_dynamic_variables.json': {
    settings: { agents: { requiredVariables: ['customer_name'] } },
    play: heard('error', (client) => client.send(SESSION_CREATE)),
  },
  'ws.agent-managed.error.invalid_dynamic_variables.json': {
    play: heard('error', (client) => client.send({ ...SESSION_CREATE, dynamic_variables: { system__x: 1 } })),
  },
  'ws.agent-managed.error.dynamic_variables_not_allowed.json': {
    credential: (simulator) => simulator.mintToken(),
    play: heard('error', (client) => client.send({ ...SESSION_CREATE, dynamic_variables: { x: 1 } })),
  },
};

/** Compared by value. Everything else is compared by type, because ids, audio and texts of the fixtures are invented. */
const EXACT = new Set([
  'type',
  'event',
  'done',
  'status_code',
  'error_code',
  'title',
  'doc_url',
  'error',
  'code',
  'fatal',
  'flush_done',
  'is_final',
  'role',
  'input_format',
  'output_delivery',
  'context_id',
  'stream_id',
  'agent_id',
]);

function shapeOf(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, inner]) => [key, shapeOf(inner, key)]),
    );
  }
  return EXACT.has(name) ? value : typeof value;
}

async function prove(
  t: Test,
  simulator: Simulator,
  fixture: Fixture,
  scenario: Scenario,
  version: string | null,
): Promise<void> {
  const { fault, credential, play } = scenario;
  const path = PATHS[fixture.endpoint] ?? '';
  if (fault !== undefined) simulator.faults.add({ match: {}, times: 1, action: fault });
  const isTurnsError = fixture.file === 'ws.stt-turns.error.structured.json';
  const client = await connect(t, simulator, isTurnsError ? path.replace('ink-2', 'ink-0') : path, {
    version,
    credential: credential?.(simulator) ?? simulator.apiKey,
  });
  const payload = read(fixture.file);
  // JSON is sent on one line; text fixtures are sent unchanged.
  await play(client, fixture.file.endsWith('.json') ? JSON.stringify(JSON.parse(payload)) : payload);
  const label = `${fixture.file} in ${version}`;
  if (fixture.direction === 'client') {
    const errors = client.messages.filter(({ type }) => type === 'error');
    const isRefused = /no-context-id|language-and-locale/.test(fixture.file);
    t.equal(errors.length, isRefused ? 1 : 0, label);
    if (isRefused) t.equal(errors[0]?.['status_code'], 400);
  } else {
    const expected = shapeOf(JSON.parse(payload));
    const isIt = (message: Message) => JSON.stringify(shapeOf(message)) === JSON.stringify(expected);
    if (!client.messages.some(isIt)) {
      // Messages caused by a fault or a refusal arrive on their own.
      await client.until(isIt).catch(() =>
        t.strictSame(
          client.messages.map((message) => shapeOf(message)),
          expected,
          label,
        ),
      );
    }
    t.ok(client.messages.some(isIt), label);
    if (fixture.file === 'ws.tts.server.chunk.16k.json') {
      t.ok(
        client.messages.some(({ data }) => String(data).length === 21_848),
        '16,384 bytes of audio',
      );
    }
  }
  if (typeof fixture.close_code === 'number') t.equal((await client.closed).code, fixture.close_code);
  client.socket.terminate();
  await client.closed;
}

const socketFixtures = fixtures.filter(({ transport, kind }) => transport === 'ws' && kind !== 'table');

test('there is exactly one scenario for every published socket payload', (t) => {
  t.strictSame(Object.keys(SCENARIOS).sort(), socketFixtures.map(({ file }) => file).sort());
  t.ok(Object.keys(SCENARIOS).length > 70);
  t.end();
});

for (const fixture of socketFixtures) {
  test(`${fixture.direction}: ${fixture.file}`, async (t) => {
    const scenario = SCENARIOS[fixture.file];
    if (scenario === undefined) throw new Error('no scenario');
    const simulator = await simulatorFor(t, {
      plan: 'scale',
      ...(scenario.settings ? { settings: scenario.settings } : {}),
    });
    const versions = VERSIONS.filter((version) => belongs(fixture, version) && (scenario.only?.(version) ?? true));
    t.ok(versions.length > 0);
    for (const version of versions) await prove(t, simulator, fixture, scenario, version);
  });
}

interface CloseRow {
  readonly endpoint: string;
  readonly cause: string;
  readonly code: number | null;
  readonly reason: string | null;
}

const CLOSES: Readonly<Record<string, (client: SocketClient, simulator: Simulator) => unknown>> = {
  'idle 5 min': (_, { clock }) => clock.advance(300_000),
  'idle 3 min without audio': (_, { clock }) => clock.advance(180_000),
  'idle 180 s': (_, { clock }) => clock.advance(180_000),
  'client sent close or done': (client) => client.send('close'),
  'agent ended the call': line('hang up'),
  'agent ended the call with a reason': line('goodbye'),
  'fatal client or protocol error': (client) =>
    client.send({ ...SESSION_CREATE, dynamic_variables: { secret__x: 'x' } }),
  'agent failure': managed('break down'),
};

test('every close in the table has its code and reason', async (t) => {
  const rows = JSON.parse(read('ws.close.json')) as readonly CloseRow[];
  for (const { endpoint, cause, code, reason } of rows) {
    const simulator = await simulatorFor(t, { settings: SILENT_AGENT });
    const client = await connect(t, simulator, PATHS[endpoint] ?? '');
    const close = CLOSES[cause];
    if (close === undefined) throw new Error(`no scenario for ${cause}`);
    await close(client, simulator);
    const closed = await client.closed;
    t.equal(closed.code, code ?? 1000, `${endpoint}: ${cause}`);
    if (reason !== null) t.equal(closed.reason, reason);
  }
});
