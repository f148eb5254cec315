// What one socket holds and spends, with real limits over an in-memory store.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Test, test } from 'tap';
import type { Problem } from '../../../src/errors/problems.ts';
import { createLimits, type Limits } from '../../../src/limits/limits.ts';
import { createLimitedSessions } from '../../../src/proxy/websocket/limited-sessions.ts';
import type { SessionFacts, SessionGuard } from '../../../src/proxy/websocket/session-guard.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { API_KEY, configOf, KEY_HASH } from '../../config/loading.ts';
import { principalOf } from '../../tokens/principal.ts';

const ANN = principalOf({ subject: 'ann' });
const SPEECH = { path: '/tts/websocket', concurrency: 'tts' } as const;
const TRANSCRIPTION = { path: '/stt/websocket', concurrency: 'stt' } as const;
const CALL = { path: '/agents/stream/{id}', concurrency: 'agent' } as const;
const NOTHING = { characters: 0, audioBytes: 0, audioSeconds: 0, callSeconds: 0 };

interface Settings {
  readonly concurrency?: string;
  readonly quota?: string;
  readonly queue?: string;
  readonly store?: Store;
}

async function setUp(t: Test, settings: Settings = {}) {
  const { concurrency = '{}', quota = '{}', queue = '{}', store = createMemoryStore() } = settings;
  const file = `
upstream: { api_key: ${API_KEY}, concurrency: ${concurrency} }
limits: { queue: ${queue} }
clients:
  web: { auth: { keys: ["${KEY_HASH}"] }, grants: [tts, stt, agent], limits: { quota: ${quota} } }
`;
  const config = await configOf({ BROKER_CONFIG: `${t.testdir({ 'broker.yaml': file })}/broker.yaml` });
  const limits = createLimits({ config, store });
  t.teardown(() => limits.close());
  const guards = createLimitedSessions(limits);
  const told: Problem[] = [];
  const gone: (() => void)[] = [];
  const open = async (endpoint: SessionFacts['endpoint'] = SPEECH, principal = ANN): Promise<SessionGuard> =>
    guards.open({ principal, endpoint, requestId: 'an id', cut: (problem) => told.push(problem) }, (leave) =>
      gone.push(leave),
    );
  return { limits, open, told, gone };
}

/** Leases held, by kind. */
async function heldOf({ leases }: Limits): Promise<Record<string, number>> {
  const pools = Object.entries(await leases.view());
  return Object.fromEntries(pools.map(([kind, pool]) => [kind, pool.leases.length]));
}

const CONCURRENCY = '{ tts: 1, stt: 1, agent: 1 }';

test('an open socket is listed, and can be ended from the list', async (t) => {
  const { limits, open, told } = await setUp(t);
  const guard = await open();
  t.match(limits.sessions.list(), [{ id: 'an id', client: 'web', subject: 'ann', endpoint: '/tts/websocket' }]);
  limits.sessions.kill('an id');
  t.match(told, [{ code: 'token_revoked' }]);
  guard.end(true);
  t.equal(limits.sessions.open, 0);
});

test('each socket takes a lease of its kind, and gives it back', async (t) => {
  for (const [endpoint, kind] of [
    [SPEECH, 'tts_socket'],
    [TRANSCRIPTION, 'stt'],
    [CALL, 'agent'],
  ] as const) {
    const { limits, open } = await setUp(t, { concurrency: CONCURRENCY });
    const guard = await open(endpoint);
    t.strictSame(await heldOf(limits), { tts: 0, tts_socket: 0, stt: 0, agent: 0, [kind]: 1 });
    guard.end(true);
    t.equal(limits.leases.open, 0, 'at once if upstream has ended it');
  }
});

test('leases of a socket that ended here are given back once upstream has noticed', async (t) => {
  const { limits, open } = await setUp(t, { concurrency: CONCURRENCY });
  const guard = await open();
  t.equal(await guard.beginContext('a'), 'go');
  guard.end(false);
  t.equal(limits.leases.open, 2);
  await sleep(350);
  t.equal(limits.leases.open, 0);
});

test('a socket that leaves while it waits, or waits too long, holds nothing', async (t) => {
  const { limits, open, gone } = await setUp(t, { concurrency: CONCURRENCY, queue: '{ wait: 1 }' });
  const first = await open(TRANSCRIPTION);
  const leaving = open(TRANSCRIPTION);
  await new Promise(setImmediate);
  t.equal(limits.leases.open, 2);
  gone.at(-1)?.();
  (await leaving).end(true);
  t.equal(limits.leases.open, 1);
  await t.rejects(open(TRANSCRIPTION), { code: 'concurrency_limited' });
  t.equal(limits.leases.open, 1);
  t.equal(limits.sessions.open, 1);
  first.end(true);
});

test('a subject revoked while it waits gets nothing, and the next one gets the place', async (t) => {
  const { limits, open } = await setUp(t, { concurrency: CONCURRENCY });
  const first = await open(CALL);
  const waiting = open(CALL, { ...ANN, subject: 'bob' });
  await limits.revocations.add({ scope: 'subject', client: 'web', subject: 'bob' });
  first.end(true);
  await t.rejects(waiting, { code: 'token_revoked' });
  t.equal(limits.leases.open, 0);
  t.equal(limits.sessions.open, 0);
  (await open(CALL)).end(true);
});

test('contexts take turns; one that ends while it waits holds nothing', async (t) => {
  const { limits, open } = await setUp(t, { concurrency: CONCURRENCY });
  const guard = await open();
  t.equal(await guard.beginContext('a'), 'go');
  const begun = ['b', 'c'].map((id) => guard.beginContext(id));
  t.strictSame(await heldOf(limits), { tts: 1, tts_socket: 1, stt: 0, agent: 0 });
  guard.endContext('b');
  t.match(await begun[0], { code: 'concurrency_limited' });
  guard.endContext('a');
  t.equal(await begun[1], 'go');
  t.equal(limits.leases.open, 2, 'the socket’s and that of the last context');
  const again = guard.beginContext('a');
  guard.endContext('c');
  t.equal(await again, 'go', 'an id may come back');
  guard.endContext('a');
  t.equal(limits.leases.open, 1);
  const brief = guard.beginContext('d');
  guard.endContext('d');
  t.match(await brief, { code: 'concurrency_limited' }, 'it is over before it could begin');
  t.equal(limits.leases.open, 1);
  guard.end(true);
});

test('all contexts end with their socket, including those that wait', async (t) => {
  const { limits, open } = await setUp(t, { concurrency: CONCURRENCY });
  const guard = await open();
  t.equal(await guard.beginContext('a'), 'go');
  const waiting = guard.beginContext('b');
  guard.end(true);
  t.match(await waiting, { code: 'concurrency_limited' });
  t.equal(limits.leases.open, 0);
});

test('a context that got no turn in time may be begun again', async (t) => {
  const { limits, open } = await setUp(t, { concurrency: CONCURRENCY, queue: '{ context_wait: 0 }' });
  const guard = await open();
  t.equal(await guard.beginContext('a'), 'go');
  t.match(await guard.beginContext('b'), { code: 'concurrency_limited' });
  guard.endContext('b');
  guard.endContext('a');
  t.equal(await guard.beginContext('b'), 'go');
  guard.end(true);
  t.equal(limits.leases.open, 0);
});

test('without a limit a context begins at once and holds nothing', async (t) => {
  const { limits, open, gone } = await setUp(t, { concurrency: '{ stt: 1 }' });
  const guard = await open();
  for (const leave of gone) leave();
  t.equal(guard.beginContext('a'), 'go');
  guard.endContext('a');
  t.equal(limits.leases.open, 0);
});

test('if upstream refuses a context or a socket, fewer leases are given out', async (t) => {
  const { limits, open } = await setUp(t, { concurrency: '{ tts: 4, stt: 4 }' });
  const lowered = async (kind: 'tts' | 'stt') => (await limits.leases.view())[kind]?.loweredTo;
  const speech = await open();
  await speech.beginContext('a');
  speech.contextRefused('unknown');
  t.equal(await lowered('tts'), null);
  speech.contextRefused('a');
  t.type(await lowered('tts'), 'number');
  const transcription = await open(TRANSCRIPTION);
  t.equal(await lowered('stt'), null);
  transcription.refused();
  t.type(await lowered('stt'), 'number');
  speech.end(true);
  transcription.end(true);
});

test('a spent budget opens no socket, and exceeding a budget ends one', async (t) => {
  for (const [endpoint, unit, field] of [
    [SPEECH, 'characters', 'characters'],
    [TRANSCRIPTION, 'audio_seconds', 'audioSeconds'],
    [CALL, 'call_seconds', 'callSeconds'],
  ] as const) {
    const { limits, open, told } = await setUp(t, { quota: `{ ${unit}: { subject: 10/day } }` });
    const others = { characters: 100, audioBytes: 100, audioSeconds: 100, callSeconds: 100 };
    const guard = await open(endpoint);
    guard.used({ ...others, [field]: 0 });
    guard.used({ ...NOTHING, [field]: 9 });
    await new Promise(setImmediate);
    t.strictSame(told, [], `${unit}: only what is limited counts`);
    guard.used({ ...NOTHING, [field]: 2 });
    await new Promise(setImmediate);
    t.match(told, [{ code: 'quota_exceeded' }], unit);
    guard.end(true);
    await t.rejects(open(endpoint), { code: 'quota_exceeded' }, unit);
    t.equal(limits.sessions.open, 0);
    await t.resolves(open(endpoint, { ...ANN, subject: 'bob' }));
  }
});

test('a budget in a remote store refuses as well', async (t) => {
  const store = createMemoryStore();
  const { budgets } = store;
  const { open } = await setUp(t, {
    quota: '{ characters: { subject: 10/day } }',
    store: { ...store, budgets: { ...budgets, book: async (...given) => budgets.book(...given) } },
  });
  (await open()).used({ ...NOTHING, characters: 11 });
  await t.rejects(open(), { code: 'quota_exceeded' });
});

test('a budget is charged for actual use: nothing for a silent socket, and fractions of seconds', async (t) => {
  const { open, told } = await setUp(t, { quota: '{ audio_seconds: { subject: 10/day } }' });
  for (let i = 0; i < 20; i += 1) {
    const silent = await open(TRANSCRIPTION);
    silent.used(NOTHING);
    silent.end(true);
  }
  const guard = await open(TRANSCRIPTION);
  for (let i = 0; i < 19; i += 1) guard.used({ ...NOTHING, audioSeconds: 0.5 });
  await new Promise(setImmediate);
  t.strictSame(told, []);
  for (let i = 0; i < 3; i += 1) guard.used({ ...NOTHING, audioSeconds: 0.5 });
  await new Promise(setImmediate);
  t.match(told, [{ code: 'quota_exceeded' }]);
});

test('usage is recorded each time, and the socket once', async (t) => {
  const { limits, open } = await setUp(t);
  const guard = await open();
  for (const characters of [3, 4]) guard.used({ ...NOTHING, characters });
  t.match(await limits.usage.list(10), [
    { client: 'web', subject: 'ann', endpoint: '/tts/websocket', requests: 1, characters: 3 },
    { client: 'web', subject: 'ann', endpoint: '/tts/websocket', requests: 0, characters: 4 },
  ]);
});
