import { type Test, test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import type { Lease, LeaseRequest } from '../../src/limits/lease.ts';
import { createLeases, type Leases } from '../../src/limits/leases.ts';
import type { LimitEvent } from '../../src/limits/limit-event.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { API_KEY, configOf, KEY_HASH } from '../config/loading.ts';

const CONFIG = `
upstream: { api_key: ${API_KEY}, concurrency: { tts: 2 } }
limits: { queue: { wait: 7, context_wait: 3, length: 2 } }
clients:
  web: { auth: { keys: ["${KEY_HASH}"] }, grants: [tts, stt], limits: { concurrency: { per_subject: 2 } } }
  ios: { auth: { keys: ["${KEY_HASH.replace('9f', 'a0')}"] }, grants: [tts, stt] }
`;
const ANN = { client: 'web', subject: 'ann' };
const TIM = { client: 'ios', subject: 'tim' };

async function leasesOf(t: Test, store = createMemoryStore()): Promise<{ leases: Leases; events: LimitEvent[] }> {
  const config = await configOf({ BROKER_CONFIG: `${t.testdir({ 'broker.yaml': CONFIG })}/broker.yaml` });
  const events: LimitEvent[] = [];
  const leases = createLeases({ config, store, onEvent: (event) => events.push(event) });
  t.teardown(() => leases.close());
  return { leases, events };
}

/** The lease, which must be granted synchronously. */
function atOnce({ granted }: LeaseRequest): Lease {
  if (granted === null || granted instanceof Promise) throw new TypeError('not granted at once');
  return granted;
}

const outcomes = (events: readonly LimitEvent[]): string[] =>
  events.map((event) => (event.type === 'lease' ? `${event.client} ${event.outcome}` : event.type));

test('a kind without any limit needs no lease', async (t) => {
  const { leases } = await leasesOf(t);
  t.ok(leases.isLimited('tts', 'web') && leases.isLimited('tts', 'ios') && leases.isLimited('tts_socket', 'ios'));
  t.ok(leases.isLimited('stt', 'web'), 'by its own share');
  t.notOk(leases.isLimited('stt', 'ios'));
  t.notOk(leases.isLimited('stt', 'nobody'));
  t.throws(() => leases.ask('stt', { client: 'nobody', subject: 'x' }, 0), TypeError);
  t.strictSame(
    [...leases.limits],
    [
      ['tts', 2],
      ['tts_socket', 20],
    ],
  );
  t.strictSame(leases.waits, { http: 7_000, context: 3_000 });
});

test("the account's limit applies even if no client app has a share", async (t) => {
  const config = await configOf({ CARTESIA_API_KEY: API_KEY, CLIENT_KEYS: `web=${KEY_HASH}`, STT_CONCURRENCY: '1' });
  const leases = createLeases({ config, store: createMemoryStore(), onEvent: () => {} });
  t.teardown(() => leases.close());
  t.strictSame([leases.isLimited('stt', 'web'), leases.isLimited('tts', 'web')], [true, false]);
  atOnce(leases.ask('stt', ANN, 0));
  await t.rejects(Promise.resolve(leases.ask('stt', ANN, 0).granted), { code: 'concurrency_limited' });
});

test('a waiter gets its lease at once, or a moment later if the notification was lost', async (t) => {
  for (const isLost of [false, true]) {
    const store = createMemoryStore();
    const { leases } = await leasesOf(t, isLost ? { ...store, listen: () => {} } : store);
    const [first] = [atOnce(leases.ask('tts', ANN, 0)), atOnce(leases.ask('tts', TIM, 0))];
    const { granted } = leases.ask('tts', TIM, 60_000);
    let isHere = false;
    const here = Promise.resolve(granted).then(() => {
      isHere = true;
    });
    await new Promise(setImmediate);
    first.release();
    await new Promise(setImmediate);
    t.equal(isHere, !isLost);
    await here;
    await leases.close();
  }
});

test("a lease granted after a wait outlasts the wait's deadline", async (t) => {
  const { leases } = await leasesOf(t);
  const [first] = [atOnce(leases.ask('tts', ANN, 0)), atOnce(leases.ask('tts', TIM, 0))];
  const waited = leases.ask('tts', TIM, 200);
  const later = leases.ask('tts', ANN, 400);
  await new Promise(setImmediate);
  first.release();
  t.ok(await waited.granted);
  await t.rejects(Promise.resolve(later.granted), { code: 'concurrency_limited' });
  t.equal((await leases.view()).tts?.leases.length, 2);
});

test('a lease is held until it is released, and then goes to the next waiter', async (t) => {
  const { leases, events } = await leasesOf(t);
  const startedMs = performance.now();
  const [first, second] = [atOnce(leases.ask('tts', ANN, 0)), atOnce(leases.ask('tts', TIM, 0))];
  const third = leases.ask('tts', ANN, 60_000);
  t.ok(third.granted instanceof Promise);
  await new Promise(setImmediate);
  t.equal(leases.open, 3);
  t.match(
    leases.load().filter(({ kind }) => kind === 'tts'),
    [
      { client: 'web', held: 1, waiting: 1 },
      { client: 'ios', held: 1, waiting: 0 },
    ],
  );
  t.match((await leases.view()).tts, { waiting: 1, loweredTo: null });
  second.release();
  second.release();
  const late = await third.granted;
  t.not(late, null);
  t.equal(leases.open, 2);
  t.equal((await leases.view()).tts?.leases.length, 2);
  first.release();
  late?.release();
  t.equal(leases.open, 0);
  t.strictSame(outcomes(events), ['web granted', 'ios granted', 'web waited']);
  const [last] = events.slice(-1);
  const waitedMs = last?.type === 'lease' ? last.waitedMs : -1;
  t.ok(waitedMs > 0 && waitedMs <= performance.now() - startedMs, `${waitedMs} ms`);
});

test('a request that cannot wait any longer is refused; one that leaves is forgotten', async (t) => {
  const { leases, events } = await leasesOf(t);
  atOnce(leases.ask('tts', ANN, 0));
  atOnce(leases.ask('tts', ANN, 0));
  const limited = { code: 'concurrency_limited', details: { retryAfterSeconds: Number } };
  await t.rejects(Promise.resolve(leases.ask('tts', TIM, 0).granted), limited);
  await t.rejects(Promise.resolve(leases.ask('tts', TIM, 20).granted), limited);
  const leaving = leases.ask('tts', TIM, 60_000);
  leaving.cancel();
  t.equal(await leaving.granted, null);
  const waiting = leases.ask('tts', TIM, 60_000);
  await new Promise(setImmediate);
  leaving.cancel();
  t.equal(leases.open, 3);
  waiting.cancel();
  t.equal(await waiting.granted, null);
  t.equal((await leases.view()).tts?.waiting, 0);
  const [one, two] = [leases.ask('tts', TIM, 60_000), leases.ask('tts', { ...TIM, subject: 'tom' }, 60_000)];
  await t.rejects(Promise.resolve(leases.ask('tts', { ...TIM, subject: 'tam' }, 60_000).granted), limited);
  await new Promise(setImmediate);
  leases.refuseWaits(new Problem('draining'));
  for (const { granted } of [one, two]) await t.rejects(Promise.resolve(granted), { code: 'draining' });
  t.equal(leases.open, 2, 'held leases are kept');
  t.strictSame(outcomes(events).slice(2), [
    'ios wait_over',
    'ios wait_over',
    'ios left',
    'ios left',
    'ios queue_full',
    'ios left',
    'ios left',
  ]);
});

test('a lease granted to a requester that has left is free', async (t) => {
  const { leases } = await leasesOf(t);
  const request = leases.ask('tts', ANN, 0);
  atOnce(request);
  request.cancel();
  t.equal(leases.open, 0);
  const [first] = [atOnce(leases.ask('tts', ANN, 0)), atOnce(leases.ask('tts', TIM, 0))];
  const waiting = leases.ask('tts', TIM, 60_000);
  await new Promise(setImmediate);
  first.release();
  await waiting.granted;
  waiting.cancel();
  t.equal(leases.open, 1);
});

test('a requester that leaves at any moment of its grant holds nothing', async (t) => {
  for (let turns = 0; turns < 12; turns += 1) {
    const { leases } = await leasesOf(t);
    const [first] = [atOnce(leases.ask('tts', ANN, 0)), atOnce(leases.ask('tts', TIM, 0))];
    const waiting = leases.ask('tts', TIM, 60_000);
    await new Promise(setImmediate);
    first.release();
    for (let turn = 0; turn < turns; turn += 1) await null;
    waiting.cancel();
    await waiting.granted;
    t.equal(leases.open, 1, `${turns} turns of promises after the lease became free`);
  }
});

test('an upstream refusal lowers the limit, and releaseLater frees a lease after a moment', async (t) => {
  const { leases, events } = await leasesOf(t);
  const [first, second] = [atOnce(leases.ask('tts', ANN, 0)), atOnce(leases.ask('tts', TIM, 0))];
  first.refusedUpstream();
  t.equal((await leases.view()).tts?.loweredTo, 1);
  t.strictSame(events.at(-1), { type: 'refused_upstream', kind: 'tts' });
  second.releaseLater();
  first.release();
  t.equal(leases.open, 1);
  const next = leases.ask('tts', TIM, 60_000);
  t.ok(next.granted instanceof Promise, 'it still counts for a moment');
  t.ok(await next.granted);
  t.equal(leases.open, 1);
});

test('after close nothing is held', async (t) => {
  const { leases } = await leasesOf(t);
  atOnce(leases.ask('tts', ANN, 0));
  atOnce(leases.ask('tts', ANN, 0));
  const waiting = leases.ask('tts', TIM, 60_000);
  await new Promise(setImmediate);
  await leases.close();
  t.equal(await waiting.granted, null);
  const { tts } = await leases.view();
  t.strictSame([tts?.leases, tts?.waiting], [[], 0]);
});
