// A thousand callers at once.
import { test } from 'tap';
import { Agent, request } from 'undici';
import { startRunningBroker } from './running-broker.ts';

const CALLERS = 1000;

test('1,000 concurrent mints: no error, and Cartesia sees no more connections than configured', async (t) => {
  const connections = 8;
  const { broker, simulator, appKey, logs, watch } = await startRunningBroker(t, {
    file: (digest) => ({
      upstream: { connections },
      clients: { backend: { trusted: true, auth: { keys: [digest] }, grants: ['tts'], limits: { mint: 'off' } } },
    }),
  });
  simulator.settings.latency.mintMs = 5;
  const agent = new Agent({ connections: CALLERS });
  t.teardown(() => agent.destroy());
  let most = 0;
  const looking = setInterval(() => {
    most = Math.max(most, simulator.counters().openConnections);
  }, 1);
  const answers = await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      const { statusCode, body } = await request(`${broker.url}/access-token`, {
        dispatcher: agent,
        method: 'POST',
        headers: {
          authorization: `Bearer ${appKey}`,
          'content-type': 'application/json',
          'x-broker-subject': `user-${caller}`,
        },
        body: '{}',
      });
      const { token } = (await body.json()) as { token?: string };
      return { statusCode, token };
    }),
  );
  clearInterval(looking);
  t.strictSame([...new Set(answers.map(({ statusCode }) => statusCode))], [200]);
  t.equal(new Set(answers.map(({ token }) => token)).size, CALLERS, 'every caller has a token of its own');
  const mints = simulator.journal.entries({ path: '/access-token' });
  t.equal(mints.length, CALLERS);
  t.ok(new Set(mints.map(({ connection }) => connection)).size <= connections);
  t.ok(most <= connections, `${most} connections at a time`);
  t.equal(logs.filter((line) => line['audit'] === 'mint').length, CALLERS, 'one audit line each');
  t.strictSame(watch.leaks(), []);
});

test('1,000 concurrent mints of one subject are one call to Cartesia', async (t) => {
  const { broker, simulator, appKey } = await startRunningBroker(t);
  simulator.settings.latency.mintMs = 2000;
  const agent = new Agent({ connections: CALLERS });
  t.teardown(() => agent.destroy());
  const answers = await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      const { statusCode, body } = await request(`${broker.url}/access-token`, {
        dispatcher: agent,
        method: 'POST',
        headers: { authorization: `Bearer ${appKey}`, 'content-type': 'application/json' },
        body: '{}',
      });
      return { statusCode, token: ((await body.json()) as { token?: string }).token };
    }),
  );
  t.ok(answers.every(({ statusCode }) => statusCode === 200));
  t.equal(new Set(answers.map(({ token }) => token)).size, 1);
  t.equal(simulator.journal.entries({ path: '/access-token' }).length, 1);
});

test('a thousand clients that leave in every phase leave nothing behind', async (t) => {
  const { broker, simulator, appKey, logs } = await startRunningBroker(t);
  simulator.settings.latency.mintMs = 20;
  const { openRaw } = await import('./raw-connection.ts');
  const { mintBytes } = await import('./mint-bytes.ts');
  const bytes = mintBytes({ credential: appKey });
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, client) => {
        const connection = await openRaw(t, broker.url);
        connection.send(bytes.slice(0, Math.floor((bytes.length * (client + 1)) / 100)));
        await new Promise((resolve) => setImmediate(resolve));
        connection.socket.resetAndDestroy();
      }),
    );
  }
  const next = await openRaw(t, broker.url);
  next.send(bytes);
  t.equal((await next.response()).status, 200);
  t.ok(logs.every((line) => ['ok', 'aborted', 'undelivered', 'invalid_request'].includes(String(line['outcome']))));
  next.socket.destroy();
  const start = performance.now();
  await broker.stop({ delayMs: 0 });
  t.ok(performance.now() - start < 3000, 'no connection is left that would hold up a stop');
});
