// Several requests on one connection: answered in order, one response each, and none runs after one that ends the connection.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type Test, test } from 'tap';
import { mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';
import { startRunningBroker } from './running-broker.ts';

const MALFORMED = 'POST /access-token HTTP/1.1\r\nHost: broker.test\r\nContent-Length: +2\r\n\r\n{}';
const TWO_HOSTS = 'POST /access-token HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}';

test('three in one segment, the second refused: first answered, then 400, closed, third not run', async (t) => {
  const { broker, simulator, appKey: credential, logs } = await startRunningBroker(t);
  const good = mintBytes({ credential });
  const brokenBody = mintBytes({ credential, framing: ['Transfer-Encoding: chunked'], body: 'x\r\n' });
  const cases: Readonly<Record<string, string>> = {
    'malformed head': MALFORMED,
    'refused by its fields': TWO_HOSTS,
    'malformed body': brokenBody,
    CONNECT: 'CONNECT other.test:443 HTTP/1.1\r\nHost: other.test\r\n\r\n',
  };
  for (const [name, second] of Object.entries(cases)) {
    for (const mintMs of [0, 300]) {
      await t.test(`${name}, a mint takes ${mintMs} ms`, async (t) => {
        simulator.journal.clear();
        simulator.settings.latency.mintMs = mintMs;
        logs.length = 0;
        const connection = await openRaw(t, broker.url);
        connection.send(good + second + good);
        t.equal((await connection.response()).status, 200, 'the first has its answer');
        const refusal = await connection.response();
        isProblem(t, refusal, 'invalid_request');
        t.equal(refusal.headers['connection'], 'close');
        t.ok((await connection.ended()) < 1000);
        t.equal(connection.rest(), '');
        t.equal(simulator.journal.entries().length, 1, 'the third was not run');
        t.strictSame(
          logs.map((line) => line['outcome']),
          ['ok', 'invalid_request'],
        );
      });
    }
  }
});

test('later segments after a malformed request get no second answer', async (t) => {
  const { broker, simulator, appKey: credential, logs } = await startRunningBroker(t);
  simulator.settings.latency.mintMs = 300;
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential }));
  await simulator.journal.waitFor({ path: '/access-token' }, () => true);
  for (let i = 0; i < 3; i += 1) connection.send(MALFORMED);
  t.equal((await connection.response()).status, 200);
  isProblem(t, await connection.response(), 'invalid_request');
  await connection.ended();
  t.equal(connection.rest(), '');
  t.equal(logs.length, 2);
});

test('an answer that closes the connection is the last thing that happens on it', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  const good = mintBytes({ credential });
  const closing: Readonly<Record<string, string>> = {
    'bad JSON': mintBytes({ credential, body: '{' }),
    'too long a body': mintBytes({ credential, body: ' '.repeat(17 * 1024) }),
    'Connection: close': mintBytes({ credential, fields: ['Connection: close'] }),
    'HTTP/1.0': mintBytes({ credential, version: 'HTTP/1.0' }),
  };
  for (const [name, first] of Object.entries(closing)) {
    await t.test(name, async (t) => {
      simulator.journal.clear();
      const connection = await openRaw(t, broker.url);
      connection.send(first + good + good);
      const { status, headers } = await connection.response();
      t.equal(headers['connection'], 'close');
      t.ok((await connection.ended()) < 1000);
      t.equal(connection.rest(), '');
      t.equal(simulator.journal.entries().length, status === 200 ? 1 : 0, 'nothing was minted that nobody received');
    });
  }
});

test('twenty requests in one segment are answered in order, one at a time', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  simulator.settings.latency.mintMs = 5;
  const connection = await openRaw(t, broker.url);
  const lives = Array.from({ length: 20 }, (_, i) => 100 + i);
  connection.send(lives.map((life) => mintBytes({ credential, body: `{"expires_in":${life}}` })).join(''));
  for (const life of lives) {
    const { status, json } = await connection.response();
    t.equal(status, 200);
    t.equal(json['expires_in'], life);
  }
  t.strictSame(
    simulator.journal.entries().map((entry) => JSON.parse(entry.body).expires_in),
    lives,
  );
});

test('a client that sends without waiting is cut off after a hundred requests', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  simulator.settings.latency.mintMs = 50;
  const connection = await openRaw(t, broker.url);
  // The first is being answered while a hundred wait behind it.
  connection.send(mintBytes({ credential }) + 'GET /livez HTTP/1.1\r\nHost: b\r\n\r\n'.repeat(150));
  let answers = 0;
  for (let isLast = false; !isLast; answers += 1) {
    const { status, headers } = await connection.response();
    t.equal(status, 200);
    isLast = headers['connection'] === 'close';
  }
  t.equal(answers, 101);
  await connection.ended();
  t.equal(connection.rest(), '');
});

test('fewer requests with long heads may wait; a client with few at a time may send any number', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  simulator.settings.latency.mintMs = 50;
  const long = `GET /livez HTTP/1.1\r\nHost: b\r\nX-Long: ${'l'.repeat(15_000)}\r\n\r\n`;
  const greedy = await openRaw(t, broker.url);
  greedy.send(mintBytes({ credential }) + long.repeat(20));
  let answers = 0;
  for (let isLast = false; !isLast; answers += 1) {
    const { status, headers } = await greedy.response();
    t.equal(status, 200);
    isLast = headers['connection'] === 'close';
  }
  t.equal(answers, 1 + 5);
  await greedy.ended();
  t.equal(greedy.rest(), '');

  const modest = await openRaw(t, broker.url);
  modest.send(long);
  for (let sent = 0; sent < 20; sent += 1) {
    modest.send(long + long);
    for (let i = 0; i < 2; i += 1) t.not((await modest.response()).headers['connection'], 'close');
  }
});

test('what a client sends beyond a hundred waiting requests is read and discarded rather than parsed', async (t) => {
  const { broker, simulator, appKey: credential } = await startRunningBroker(t);
  simulator.settings.latency.mintMs = 1000;
  let made = 0;
  const count = (): void => {
    made += 1;
  };
  subscribe('http.server.request.start', count);
  t.teardown(() => unsubscribe('http.server.request.start', count));
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential }));
  await simulator.journal.waitFor({ path: '/access-token' }, () => true);
  const flood = 'GET /livez HTTP/1.1\r\nHost: b\r\n\r\n'.repeat(400_000); // more than the system holds for both sides
  await new Promise((resolve) => connection.socket.write(flood, 'latin1', resolve));
  t.ok(made < 10_000, `${made}, as many as come in a read or two`);
  for (let answers = 0; answers <= 100; answers += 1) t.equal((await connection.response()).status, 200);
  await connection.ended();
  t.equal(connection.rest(), '');
});

/** Mints, sends `more` behind it, and resets the connection while Cartesia is being asked. Resolves when Cartesia has answered. */
async function resetDuringMint(
  t: Test,
  { broker, simulator, appKey: credential }: Awaited<ReturnType<typeof startRunningBroker>>,
  more: string,
): Promise<void> {
  simulator.settings.latency.mintMs = 200;
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential }) + more);
  await simulator.journal.waitFor({ path: '/access-token' }, () => true);
  connection.socket.resetAndDestroy();
  await simulator.journal.waitFor({ path: '/access-token' });
}

test('a client that leaves during its mint leaves a log line and, once the token is there, another one', async (t) => {
  const running = await startRunningBroker(t);
  const { broker, simulator, appKey: credential, logs } = running;
  await resetDuringMint(t, running, mintBytes({ credential, body: '{"expires_in":77}' }));
  const next = await openRaw(t, broker.url);
  next.send(mintBytes({ credential }));
  t.equal((await next.response()).status, 200);
  t.match(logs, [
    { outcome: 'aborted', status: 499, client: 'kiosk', route: '/access-token' },
    {
      audit: 'mint',
      outcome: 'undelivered',
      request_id: logs[0]?.['request_id'],
      client: 'kiosk',
      subject: logs[0]?.['subject'],
      grants: 'tts',
      expires_in: 300,
      delivery: 'direct',
      upstream_request_id: simulator.journal.entries()[0]?.requestId,
    },
    { audit: 'mint', outcome: 'ok', status: 200 },
  ]);
  t.equal(logs.length, 3);
  t.match(
    await broker.metrics.registry.metrics(),
    /broker_mints_total\{client="kiosk",delivery="direct",outcome="undelivered"\} 1\n/,
  );
  t.notOk(
    simulator.journal.entries().some((entry) => entry.body.includes('77')),
    'the request that waited behind it does not run',
  );
});

test('a client that leaves while it waits for the mint of another request leaves no second line: that one has the token', async (t) => {
  const { broker, simulator, appKey: credential, logs } = await startRunningBroker(t);
  simulator.settings.latency.mintMs = 300;
  const [staying, leaving, other] = [
    await openRaw(t, broker.url),
    await openRaw(t, broker.url),
    await openRaw(t, broker.url),
  ];
  staying.send(mintBytes({ credential }));
  await simulator.journal.waitFor({ path: '/access-token' }, () => true);
  leaving.send(mintBytes({ credential }));
  other.send('GET / HTTP/1.1\r\nHost: b\r\n\r\n');
  await other.response(); // by now the other two wait for the same mint
  leaving.socket.resetAndDestroy();
  t.equal((await staying.response()).status, 200);
  const lines = logs.filter(({ client }) => client === 'kiosk').map(({ outcome }) => outcome);
  t.strictSame(lines, ['aborted', 'ok']);
  const counts = (await broker.metrics.registry.metrics()).match(/^broker_mints_total.*/gm);
  t.strictSame(counts, [
    'broker_mints_total{client="kiosk",delivery="(none)",outcome="aborted"} 1',
    'broker_mints_total{client="kiosk",delivery="direct",outcome="minted"} 1',
  ]);
});

test('a client that leaves during a mint that another request waits for leaves no second line either: the other one reports it', async (t) => {
  const running = await startRunningBroker(t);
  const { broker, simulator, appKey: credential, logs } = running;
  simulator.settings.latency.mintMs = 300;
  const [leaving, staying, next, other] = [
    await openRaw(t, broker.url),
    await openRaw(t, broker.url),
    await openRaw(t, broker.url),
    await openRaw(t, broker.url),
  ];
  leaving.send(mintBytes({ credential }));
  await simulator.journal.waitFor({ path: '/access-token' }, () => true);
  for (const connection of [staying, next]) connection.send(mintBytes({ credential }));
  other.send('GET / HTTP/1.1\r\nHost: b\r\n\r\n');
  await other.response(); // by now the other two wait for the same mint
  leaving.socket.resetAndDestroy();
  for (const connection of [staying, next]) t.equal((await connection.response()).status, 200);
  t.equal(simulator.journal.entries({ path: '/access-token' }).length, 1);
  const lines = logs.filter(({ client }) => client === 'kiosk');
  t.strictSame(
    lines.map(({ outcome, audit, reused }) => [outcome, audit, reused]),
    [
      ['aborted', undefined, undefined],
      ['ok', 'mint', undefined],
      ['ok', 'mint', true],
    ],
  );
  const counts = (await broker.metrics.registry.metrics()).match(/^broker_mints_total.*/gm);
  t.strictSame(counts, [
    'broker_mints_total{client="kiosk",delivery="(none)",outcome="aborted"} 1',
    'broker_mints_total{client="kiosk",delivery="direct",outcome="minted"} 1',
    'broker_mints_total{client="kiosk",delivery="direct",outcome="reused"} 1',
  ]);
});

test('a client that resets its connection after a CONNECT that waits for its answer harms nobody', async (t) => {
  const running = await startRunningBroker(t);
  const { broker, appKey: credential } = running;
  await resetDuringMint(t, running, 'CONNECT other.test:443 HTTP/1.1\r\nHost: other.test\r\n\r\n');
  const next = await openRaw(t, broker.url);
  next.send(mintBytes({ credential }));
  t.equal((await next.response()).status, 200);
});

test('a client that leaves in the middle of its body leaves one log line and no mint', async (t) => {
  const { broker, simulator, appKey: credential, logs } = await startRunningBroker(t);
  const connection = await openRaw(t, broker.url);
  const written = Promise.withResolvers<void>();
  connection.socket.write(mintBytes({ credential, framing: ['Content-Length: 20'] }), () => written.resolve());
  await written.promise;
  connection.socket.end();
  await connection.ended();
  const next = await openRaw(t, broker.url);
  next.send('GET / HTTP/1.1\r\nHost: b\r\n\r\n');
  await next.response();
  t.strictSame(
    logs.map((line) => line['outcome']),
    ['invalid_request', 'ok'],
  );
  t.strictSame(simulator.journal.entries(), []);
});

test('a body that breaks after its request was refused gets no second answer', async (t) => {
  const { broker } = await startRunningBroker(t);
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential: 'nobody', framing: ['Transfer-Encoding: chunked'], body: '' }));
  isProblem(t, await connection.response(), 'unauthenticated');
  connection.send('x\r\n');
  await connection.ended();
  t.equal(connection.rest(), '');
});

test('a long refused body does not cost the client its answer', async (t) => {
  const { broker, appKey: credential } = await startRunningBroker(t);
  const connection = await openRaw(t, broker.url);
  const megabytes = 4 * 1024 * 1024;
  connection.send(mintBytes({ credential, framing: [`Content-Length: ${megabytes}`], body: '' }));
  const chunk = ' '.repeat(64 * 1024);
  for (let sent = 0; sent < megabytes; sent += chunk.length) connection.send(chunk);
  const response = await connection.response();
  isProblem(t, response, 'payload_too_large');
  t.equal(response.headers['connection'], 'close');
  await connection.ended();
});
