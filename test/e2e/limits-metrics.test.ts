// What limits do, as shown in GET /metrics.
import { test } from 'tap';
import { redisServer } from '../store/redis-server.ts';
import { open, SPEECH, send, startCarrying } from './carried-broker.ts';
import { metricsOf, until } from './limits-answers.ts';

const CHARACTERS = [...SPEECH.transcript].length;

test('leases: how many are held and waiting, and how each request for one ended', async (t) => {
  const { broker, simulator, token } = await startCarrying(t, {
    env: { TTS_CONCURRENCY: '1' },
    file: { limits: { queue: { wait: 1, length: 2 } } },
  });
  const path = `${broker.url}/tts/bytes`;
  const metrics = () => metricsOf(broker.managementUrl);
  t.equal((await send(path, { credential: token, json: SPEECH })).status, 200);
  simulator.configure({ latency: { perChunkMs: 60_000 } });
  const running = await open(path, { credential: token, json: SPEECH });
  const late = send(path, { credential: token, json: SPEECH });
  await until(() => broker.leases === 2);
  t.equal((await send(path, { credential: token, json: SPEECH })).status, 429, 'a subject has half of the queue');
  const now = await metrics();
  t.equal(now.get('broker_leases_held{kind="tts",client="kiosk"}'), 1);
  t.equal(now.get('broker_leases_waiting{kind="tts",client="kiosk"}'), 1);
  t.equal(now.get('broker_lease_limit{kind="tts"}'), 1);
  t.equal(now.get('broker_lease_limit{kind="tts_socket"}'), 10);
  t.equal(now.get('broker_sessions_open'), 1, 'a waiting request is not carried yet');
  t.equal((await late).status, 429);
  running.on('error', () => {}).destroy();
  await until(() => broker.leases === 0);
  const after = await metrics();
  const outcomes = ['granted', 'queue_full', 'wait_over'].map((outcome) =>
    after.get(`broker_leases_total{kind="tts",client="kiosk",outcome="${outcome}"}`),
  );
  t.strictSame(outcomes, [2, 1, 1]);
  t.equal(after.get('broker_lease_wait_seconds_count{kind="tts",client="kiosk"}'), 4);
  t.ok((after.get('broker_lease_wait_seconds_sum{kind="tts",client="kiosk"}') ?? 0) >= 0.95);
  t.equal(after.get('broker_leases_held{kind="tts",client="kiosk"}'), 0);
  t.equal(after.get('broker_leases_waiting{kind="tts",client="kiosk"}'), 0);
});

test("leases: those that waited, those that left, and Cartesia's own refusals", async (t) => {
  const { broker, simulator, token } = await startCarrying(t, { env: { TTS_CONCURRENCY: '1' } });
  const path = `${broker.url}/tts/bytes`;
  simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action: { type: 'answer', status: 429 } });
  simulator.configure({ latency: { firstByteMs: 100 } });
  const both = [1, 2].map(() => send(path, { credential: token, json: SPEECH }));
  t.strictSame(
    (await Promise.all(both)).map(({ status }) => status),
    [200, 200],
  );
  simulator.configure({ latency: { perChunkMs: 60_000 } });
  const running = await open(path, { credential: token, json: SPEECH });
  const gone = new AbortController();
  fetch(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(SPEECH),
    signal: gone.signal,
  }).catch(() => {});
  await until(() => broker.leases === 2);
  gone.abort();
  await until(() => broker.leases === 1);
  running.on('error', () => {}).destroy();
  const now = await metricsOf(broker.managementUrl);
  t.equal(now.get('broker_lease_upstream_refusals_total{kind="tts"}'), 1);
  t.equal(now.get('broker_leases_total{kind="tts",client="kiosk",outcome="left"}'), 1);
  t.ok((now.get('broker_leases_total{kind="tts",client="kiosk",outcome="waited"}') ?? 0) >= 1);
});

test('budgets: booked, returned and refused', async (t) => {
  const { broker, simulator, token, appKey } = await startCarrying(t, {
    client: {
      limits: {
        mint: 'off',
        quota: { characters: { subject: `${CHARACTERS}/month` }, mints: { client: '1/month' } },
      },
    },
    file: { limits: { quota: { characters: '1000000/month' } } },
  });
  const speak = async () => (await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH })).status;
  simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action: { type: 'answer', status: 500 } });
  t.strictSame([await speak(), await speak(), await speak()], [500, 200, 402]);
  t.equal((await send(`${broker.url}/access-token`, { credential: appKey, json: {} })).status, 402);
  const now = await metricsOf(broker.managementUrl);
  t.equal(now.get('broker_budget_booked_total{client="kiosk",unit="characters"}'), 2 * CHARACTERS);
  t.equal(now.get('broker_budget_returned_total{client="kiosk",unit="characters"}'), CHARACTERS);
  t.equal(now.get('broker_budget_refusals_total{client="kiosk",unit="characters",budget="subject"}'), 1);
  t.equal(now.get('broker_budget_refusals_total{client="kiosk",unit="mints",budget="client"}'), 1);
  t.equal(now.get('broker_budget_unsettled'), 0);
});

test('revocations: how many are in force, whom they refused and what they ended', async (t) => {
  const adminToken = 'an admin token that is only good in this test';
  const { broker, simulator, token } = await startCarrying(t, { env: { ADMIN_TOKEN: adminToken } });
  simulator.configure({ latency: { perChunkMs: 60_000 } });
  const running = await open(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
  const ended = new Promise((resolve) => running.on('error', () => {}).on('close', resolve));
  running.resume();
  await send(`${broker.managementUrl}/admin/revocations`, {
    credential: adminToken,
    json: { scope: 'subject', client: 'kiosk', subject: 'kiosk' },
  });
  await ended;
  t.equal((await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH })).status, 403);
  const now = await metricsOf(broker.managementUrl);
  t.equal(now.get('broker_revocations{scope="subject"}'), 1);
  t.equal(now.get('broker_revocations{scope="everything"}'), 0);
  t.equal(now.get('broker_revocation_refusals_total{client="kiosk"}'), 1);
  t.equal(now.get('broker_sessions_cut_total{client="kiosk",reason="revoked"}'), 1);
});

test('the store: whether it is reachable, how long calls took, and which failed', async (t) => {
  const redis = await redisServer(t);
  const { broker, token } = await startCarrying(t, {
    env: { TTS_CONCURRENCY: '1', REDIS_URL: redis.url.reveal() },
  });
  const speak = async () => (await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH })).status;
  await until(async () => (await speak()) === 200); // a store that was empty gives nothing out at first
  await until(() => broker.leases === 0);
  const calls = async (call: string): Promise<number> =>
    (await metricsOf(broker.managementUrl)).get(`broker_store_call_duration_seconds_count{call="${call}"}`) ?? 0;
  t.equal((await metricsOf(broker.managementUrl)).get('broker_store_up'), 1);
  t.ok((await calls('lease_acquire')) >= 1);
  await until(async () => (await calls('usage_add')) >= 1); // recorded in the background
  await redis.kill();
  await until(async () => (await metricsOf(broker.managementUrl)).get('broker_store_up') === 0);
  t.equal(await speak(), 503);
  await until(async () => {
    const failures = await metricsOf(broker.managementUrl);
    return [...failures].some(([name, count]) => name.startsWith('broker_store_failures_total{') && count > 0);
  });
});

test('no metric names a subject', async (t) => {
  const subject = 'a-subject-that-nobody-may-count';
  const { broker, appKey } = await startCarrying(t, { env: { TTS_CONCURRENCY: '1' }, client: { trusted: true } });
  const speak = () =>
    send(`${broker.url}/tts/bytes`, { credential: appKey, json: SPEECH, headers: { 'x-broker-subject': subject } });
  t.equal((await speak()).status, 200);
  t.notMatch((await send(`${broker.managementUrl}/metrics`)).body.toString(), subject);
});
