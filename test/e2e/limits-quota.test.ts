// Budgets, as callers see them.
import { test } from 'tap';
import { createCertificate } from '../../src/simulator/certificate.ts';
import {
  lineOf,
  mintProxied,
  open,
  recordingForm,
  SPEECH,
  send,
  startCarrying,
  until,
  usageOf,
} from './carried-broker.ts';
import { problemOf } from './limits-answers.ts';
import { startRunningBroker } from './running-broker.ts';

const CHARACTERS = [...SPEECH.transcript].length;
const ADMIN_TOKEN = 'a'.repeat(40);

test('characters are booked before anything is sent, and the last request that fits is served', async (t) => {
  const { broker, simulator, token } = await startCarrying(t, {
    client: { limits: { mint: 'off', quota: { characters: { subject: `${CHARACTERS * 2 + 1}/month` } } } },
  });
  const speak = () => send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
  t.strictSame([(await speak()).status, (await speak()).status], [200, 200]);
  const refused = await speak();
  t.equal(refused.status, 402);
  t.match(problemOf(refused), { error_code: 'quota_exceeded', source: 'broker' });
  t.match(
    problemOf(refused).message,
    /^The budget of characters has less left than the \d+ that this needs\. The next period begins at \d{4}-\d\d-01T00:00Z\.$/,
  );
  t.equal(refused.headers['x-should-retry'], 'false');
  t.match(
    refused.headers['retry-after'],
    /^(?:[1-9]|[1-5]\d|60)$/,
    'never a wait as long as the month, which an SDK would sleep through',
  );
  t.equal(simulator.counters().tts.granted, 2, 'Cartesia was not asked');
});

test('a spent budget is reported at once, even if the request would have to wait for a turn', async (t) => {
  const { broker, simulator, token } = await startCarrying(t, {
    env: { TTS_CONCURRENCY: '1' },
    client: { limits: { mint: 'off', quota: { characters: { subject: `${CHARACTERS}/month` } } } },
    file: { limits: { queue: { wait: 30 } } },
  });
  simulator.configure({ latency: { perChunkMs: 60_000 } });
  const running = await open(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
  const refused = await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
  t.equal(refused.status, 402);
  t.ok(refused.ms < 5_000);
  t.equal(broker.leases, 1, 'and its place in the queue is free');
  running.on('error', () => {}).destroy();
});

test('a budget gets back what Cartesia refused', async (t) => {
  const { broker, simulator, token } = await startCarrying(t, {
    client: { limits: { mint: 'off', quota: { characters: { client: `${CHARACTERS}/month` } } } },
  });
  simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action: { type: 'answer', status: 500 } });
  const speak = async () => (await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH })).status;
  t.strictSame([await speak(), await speak(), await speak()], [500, 200, 402]);
});

for (const transport of ['native', 'undici'] as const) {
  test(`${transport}: what has not left for Cartesia costs nothing, whoever has ended it`, async (t) => {
    const tls = createCertificate(Date.now());
    const running = await startCarrying(t, {
      transport,
      simulator: { tlsPort: 0, tls },
      env: ({ tlsUrl }) => ({ CARTESIA_BASE_URL: tlsUrl, ADMIN_TOKEN }),
      file: { upstream: { ca_file: `${t.testdir({ 'ca.pem': tls.cert })}/ca.pem` } },
      client: {
        limits: {
          mint: 'off',
          quota: { characters: { subject: `${CHARACTERS}/month` }, audio_seconds: { subject: '1/month' } },
        },
      },
    });
    const { broker, simulator, token } = running;
    const calls = {
      '/tts/bytes': { credential: token, json: SPEECH },
      '/stt': { credential: token, ...recordingForm(Buffer.alloc(100_000)) },
    };
    simulator.faults.add({ match: {}, action: { type: 'hang', at: 'accept' } }); // connected, and not yet secure
    for (const [path, call] of Object.entries(calls)) {
      const leaving = new AbortController();
      const left = send(`${broker.url}${path}`, { ...call, signal: leaving.signal });
      await until(() => broker.carried === 1, 'request under way');
      leaving.abort();
      await t.rejects(left);
      const line = await lineOf(running, path);
      t.match(line, { status: 499, outcome: 'aborted' });
      t.notOk('audit' in line, path);
    }
    const cut = send(`${broker.url}/tts/bytes`, calls['/tts/bytes']);
    await until(() => broker.carried === 1, 'request under way');
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const listed = JSON.parse((await send(`${broker.managementUrl}/admin/sessions`, { headers })).body.toString());
    const [{ id }] = (listed as { sessions: [{ id: string }] }).sessions;
    await send(`${broker.managementUrl}/admin/sessions/${id}`, { headers, method: 'DELETE' });
    t.equal((await cut).status, 403);
    for (const path of Object.keys(calls)) t.strictSame(await usageOf(running, path), {}, path);
    simulator.faults.clear();
    t.equal((await send(`${broker.url}/tts/bytes`, calls['/tts/bytes'])).status, 200, 'all of the budget is there');
    t.equal((await usageOf(running, '/tts/bytes'))['characters'], simulator.counters().creditsSpent);
  });
}

test('an account-wide budget is shared by all client apps', async (t) => {
  const { broker, token } = await startCarrying(t, {
    file: { limits: { quota: { characters: `${CHARACTERS}/month` } } },
  });
  const speak = async () => (await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH })).status;
  t.strictSame([await speak(), await speak()], [200, 402]);
});

test('a token handed out again is not a mint: it costs nothing, and is still there when the budget is spent', async (t) => {
  const { broker, appKey, simulator } = await startRunningBroker(t, {
    file: (digest) => ({
      tokens: { reuse: true },
      clients: {
        kiosk: { auth: { keys: [digest] }, limits: { mint: 'off', quota: { mints: { subject: '1/month' } } } },
      },
    }),
  });
  simulator.configure({ latency: { mintMs: 50 } });
  const mint = async (json: unknown): Promise<string> => {
    const { status, body } = await send(`${broker.url}/access-token`, { credential: appKey, json });
    return status === 200 ? (JSON.parse(body.toString()) as { token: string }).token : String(status);
  };
  const together = await Promise.all([1, 2, 3].map(() => mint({})));
  t.equal(new Set(together).size, 1);
  t.equal(await mint({}), together[0]);
  t.equal(await mint({ expires_in: 77 }), '402', 'a new one');
  t.equal(await mint({}), together[0]);
  t.equal(simulator.journal.entries({ path: '/access-token' }).length, 1);
});

test('access tokens have a budget, and refused requests do not count', async (t) => {
  const { broker, appKey } = await startCarrying(t, {
    client: { limits: { mint: 'off', quota: { mints: { client: '3/month' } } } },
  });
  const mint = (json: unknown) => send(`${broker.url}/access-token`, { credential: appKey, json });
  t.equal((await mint({ grants: { agent: true } })).status, 403);
  await mintProxied(broker.url, appKey); // the second: the harness has minted one
  t.equal((await mint({})).status, 200);
  const refused = await mint({});
  t.equal(refused.status, 402);
  t.match(problemOf(refused), { error_code: 'quota_exceeded' });
});
