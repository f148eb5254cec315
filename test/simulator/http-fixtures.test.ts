// The simulator sends or accepts every published HTTP and SSE payload in its versions. WebSocket payloads have their own test.

import { readFileSync } from 'node:fs';
import { type Test, test } from 'tap';
import type { FaultRule } from '../../src/simulator/faults.ts';
import type { SettingsPatch } from '../../src/simulator/settings-patch.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { type Answer, type CallOptions, call, form, generation, recording, simulatorFor, VOICE } from './call.ts';

interface Fixture {
  readonly file: string;
  readonly transport: 'http' | 'sse' | 'ws';
  readonly direction: 'client' | 'server';
  readonly http_status?: number;
  readonly version_min: string | null;
  readonly version_below: string | null;
}

/** How to make the simulator send a fixture. */
interface Scenario {
  readonly settings?: SettingsPatch;
  readonly fault?: FaultRule;
  readonly target: string;
  readonly options?: (simulator: Simulator) => CallOptions | Promise<CallOptions>;
}

const FOLDER = new URL('../fixtures/cartesia/', import.meta.url);
const { fixtures } = JSON.parse(readFileSync(new URL('index.json', FOLDER), 'utf8')) as {
  fixtures: readonly Fixture[];
};

/** The published versions, one that is not a date, and none. */
const VERSIONS = ['2024-06-10', '2024-11-13', '2025-04-16', '2025-11-04', '2026-03-01', '2026-08-14', 'latest', null];

/** Whether a fixture belongs to a version; a version that is not a date counts as the oldest. */
function belongs({ version_min: from, version_below: below }: Fixture, version: string | null): boolean {
  const date = version === null || version === 'latest' ? '0000-00-00' : version;
  return (from === null || date >= from) && (below === null || date < below);
}

const speech = (changes: Record<string, unknown> = {}): Pick<Scenario, 'target' | 'options'> => ({
  target: 'POST /tts/bytes',
  options: () => ({ json: generation(changes) }),
});

const admin = (target: string): Pick<Scenario, 'target' | 'options'> => ({
  target,
  options: () => ({ credential: 'sk_car_admin_simulated' }),
});

const anyFault = (action: FaultRule['action']): Pick<Scenario, 'fault' | 'target'> => ({
  fault: { match: {}, action },
  target: 'GET /',
});

const UNEXPECTED = {
  title: 'Unexpected error',
  message: 'An unexpected error occurred, please contact support@cartesia.ai if the problem persists.',
};

/** What causes each error, in any form. */
const ERRORS: Readonly<Record<string, Scenario>> = {
  concurrency_limited: { ...speech(), settings: { limits: { tts: 0 } } },
  quota_exceeded: { ...speech(), settings: { credits: 0 } },
  voice_model_mismatch: speech({ voice: { id: 'e07c00bc-4134-4eae-9ea4-1a55fb45746b' } }),
  voice_not_found: speech({ voice: { id: 'nobody' } }),
  model_not_found: speech({ model_id: 'sonic-0' }),
  model_sunsetted: speech({ model_id: 'sonic-english' }),
  language_not_supported: speech({ language: 'xx' }),
  file_too_large: {
    settings: { sizes: { uploadBytes: 10 } },
    target: 'POST /stt',
    options: () => ({ body: form({ file: Buffer.alloc(100), model: 'ink-whisper' }) }),
  },
  unsupported_audio_format: {
    target: 'POST /voice-changer/bytes',
    options: () => ({ body: form({ clip: Buffer.alloc(100), 'voice[id]': VOICE }) }),
  },
  plan_upgrade_required: { settings: { plan: 'free' }, target: 'POST /fine-tunes/', options: () => ({ json: {} }) },
  unauthorized: { target: 'GET /voices', options: () => ({ credential: 'sk_car_wrong' }) },
  forbidden: {
    ...speech(),
    options: (simulator) => ({ credential: simulator.mintToken({ grants: { stt: true } }), json: {} }),
  },
  'invalid-request': admin('GET /organizations/invites?status=lost'),
  'not-found': admin('GET /organizations/invites/x'),
  unexpected: anyFault({ type: 'answer', status: 500, ...UNEXPECTED }),
  'no-code-field': admin('GET /organizations/users?ending_before=a&starting_after=b'),
  'no-request-id': anyFault({
    type: 'answer',
    status: 500,
    ...UNEXPECTED,
    fields: { error_code: undefined, request_id: undefined },
  }),
  'unknown-code': anyFault({
    type: 'answer',
    status: 400,
    code: 'some_future_code',
    title: 'Something new',
    message: 'A code this broker has never seen.',
    fields: { extra_field: { a: 1 } },
  }),
};

const events = (changes: Record<string, unknown>, more: Partial<Scenario> = {}): Scenario => ({
  target: 'POST /tts/sse',
  options: () => ({ json: generation(changes) }),
  ...more,
});

const IN_CONTEXT = { context_id: 'teal-otter-walks' };
const failing = (problem: 'model_not_found' | 'unexpected'): Partial<Scenario> => ({
  fault: { match: {}, action: { type: 'error_event', afterEvents: 1, problem } },
});
const changedVoice = (more: Partial<Scenario> = {}): Scenario => ({
  target: 'POST /voice-changer/sse',
  options: async (simulator) => ({ body: form({ clip: await recording(simulator, 'Hi.'), 'voice[id]': VOICE }) }),
  ...more,
});

const STREAMS: Readonly<Record<string, Scenario>> = {
  'sse.tts.stream.data-only.txt': events({ ...IN_CONTEXT, add_timestamps: true, add_phoneme_timestamps: true }),
  'sse.tts.stream.no-context.txt': events({}),
  'sse.tts.stream.event-lines.txt': events(
    { ...IN_CONTEXT, add_timestamps: true },
    { settings: { sse: { framing: 'event' } } },
  ),
  'sse.tts.stream.crlf.txt': events(IN_CONTEXT, { settings: { sse: { lineEnd: 'crlf' } } }),
  'sse.tts.error.structured.data-only.txt': events(IN_CONTEXT, failing('model_not_found')),
  'sse.tts.error.structured.event-line.txt': events(IN_CONTEXT, {
    ...failing('unexpected'),
    settings: { sse: { framing: 'error_event' } },
  }),
  'sse.tts.error.legacy.txt': events(IN_CONTEXT, failing('unexpected')),
  'sse.voice-changer.stream.txt': changedVoice(),
  'sse.voice-changer.error.structured.txt': changedVoice({
    fault: {
      match: { path: '/voice-changer/sse' },
      action: { type: 'error_event', afterEvents: 0, problem: 'voice_not_found' },
    },
  }),
};

const sentenceToHear = async (simulator: Simulator): Promise<CallOptions> => ({
  body: form({
    file: await recording(simulator, 'How are you doing today?'),
    model: 'ink-whisper',
    language: 'en',
    'timestamp_granularities[]': ['word'],
  }),
});

const ANSWERS: Readonly<Record<string, Scenario>> = {
  'http.status.response.json': { target: 'GET /' },
  'http.access-token.response.json': {
    target: 'POST /access-token',
    options: () => ({ json: { grants: { tts: true, stt: true }, expires_in: 60 } }),
  },
  'http.stt.response.json': { target: 'POST /stt', options: sentenceToHear },
  'http.stt.response.no-type.json': {
    target: 'POST /stt',
    options: async (simulator) => {
      const file = await recording(simulator, 'How are you doing today?');
      return { body: form({ file, model: 'ink-whisper' }) };
    },
  },
};

/** The index says less than the payload for /stt, whose response changed its shape. */
const ONLY_IN: Readonly<Record<string, (version: string | null) => boolean>> = {
  'http.stt.response.json': (version) => version === null || version >= '2026-03-01',
  'http.stt.response.no-type.json': (version) => version !== null && version < '2026-03-01',
};

function scenarioOf(file: string): Scenario | undefined {
  const error = /^http\.error\.(?:structured|legacy)\.(?:null-code\.)?(.+)\.\w+$/.exec(file)?.[1];
  return error === undefined ? (ANSWERS[file] ?? STREAMS[file]) : ERRORS[error];
}

async function answerOf(t: Test, scenario: Scenario, version: string | null): Promise<Answer> {
  const simulator = await simulatorFor(t);
  const options = await scenario.options?.(simulator);
  simulator.configure(scenario.settings ?? {});
  if (scenario.fault !== undefined) simulator.faults.add(scenario.fault);
  return call(simulator, scenario.target, { ...options, version });
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** A JSON value with ids, audio and times replaced by their types, so that only form and wording remain. */
function withoutChance(key: string, value: unknown): unknown {
  if (key === 'token' && typeof value === 'string') return tokenForm(value);
  if (key === 'data' && typeof value === 'string') return 'base64';
  if (['step_time', 'start', 'end', 'duration', 'sample_rate'].includes(key))
    return typeof value === 'number' ? 'number' : kindsOf(value);
  if (key === 'words' || key === 'phonemes') return kindsOf(value);
  if (typeof value === 'string') return value.replace(UUID, 'uuid');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutChance(name, item)]));
}

/** The distinct types of a list's items; the number of items depends on the spoken text. */
function kindsOf(value: unknown): unknown {
  if (!Array.isArray(value) || value.length === 0) return value;
  const kinds = value.map((item: unknown) =>
    typeof item === 'object' && item !== null ? Object.keys(item).sort().join() : typeof item,
  );
  return [...new Set(kinds)];
}

/** The names of the claims and the lifetime, without the claims' values. */
function tokenForm(token: string): unknown {
  const [header, claims] = token.split('.').map((part, index) => {
    if (index > 1) return {};
    return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  });
  const life = Number(claims?.['exp']) - Number(claims?.['iat']);
  const { alg } = header ?? {};
  return {
    alg,
    header: Object.keys(header ?? {}),
    grants: claims?.['grants'],
    iss: claims?.['iss'],
    claims: Object.keys(claims ?? {}),
    life,
  };
}

/** An event stream as its events and the text around them; repeated chunks are counted once. */
function streamForm(text: string): unknown {
  const parts = text.split(/(?<=\r?\n\r?\n)/).map((part) => {
    const match = /^((?:event: \w+\r?\n)?data: )(.*?)((?:\r?\n)+)$/s.exec(part);
    if (match === null) return { broken: part };
    const [, before, json = '', after] = match;
    return { before, event: withoutChance('', JSON.parse(json)), after };
  });
  return parts.filter((part, index) => JSON.stringify(part) !== JSON.stringify(parts[index - 1]));
}

const answered = fixtures.filter(({ transport, direction }) => transport !== 'ws' && direction === 'server');
const accepted = fixtures.filter(({ transport, direction }) => transport !== 'ws' && direction === 'client');

test('all 49 HTTP and SSE payloads are checked', async (t) => {
  t.equal(answered.length + accepted.length, 49);
  t.strictSame(
    answered.filter(({ file }) => scenarioOf(file) === undefined),
    [],
  );
});

for (const fixture of answered) {
  const { file } = fixture;
  test(`${file} is what the simulator sends`, async (t) => {
    const expected = readFileSync(new URL(file, FOLDER), 'utf8');
    const scenario = scenarioOf(file);
    if (scenario === undefined) throw new Error('there is no scenario');
    const versions = VERSIONS.filter((version) => belongs(fixture, version) && (ONLY_IN[file]?.(version) ?? true));
    t.ok(versions.length > 0);
    for (const version of versions) {
      const answer = await answerOf(t, scenario, version);
      t.equal(answer.status, fixture.transport === 'sse' ? 200 : fixture.http_status, `status in ${version}`);
      if (fixture.transport === 'sse')
        t.strictSame(streamForm(answer.text), streamForm(expected), `events in ${version}`);
      else if (file.endsWith('.txt')) t.equal(answer.text, expected, `text in ${version}`);
      else t.strictSame(withoutChance('', answer.json), withoutChance('', JSON.parse(expected)), `body in ${version}`);
    }
  });

  if (fixture.version_min === null && fixture.version_below === null) continue;
  test(`${file} is not sent in versions to which it does not belong`, async (t) => {
    const scenario = scenarioOf(file);
    if (scenario === undefined) throw new Error('there is no scenario');
    for (const version of VERSIONS.filter((candidate) => !belongs(fixture, candidate))) {
      const answer = await answerOf(t, scenario, version);
      const legacyForm = fixture.transport === 'sse' ? /"error":"/.test(answer.text) : answer.json === undefined;
      t.equal(legacyForm, fixture.version_below === null, `${version}`);
    }
  });
}

for (const fixture of accepted) {
  test(`${fixture.file} is accepted`, async (t) => {
    const json: unknown = JSON.parse(readFileSync(new URL(fixture.file, FOLDER), 'utf8'));
    const target = fixture.file.startsWith('http.access-token') ? 'POST /access-token' : 'POST /tts/bytes';
    for (const version of VERSIONS.filter((candidate) => belongs(fixture, candidate))) {
      const simulator = await simulatorFor(t);
      t.equal((await call(simulator, target, { version, json })).status, 200, `${version}`);
    }
  });
}
