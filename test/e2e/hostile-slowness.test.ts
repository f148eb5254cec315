// Clients that hold a connection and send nothing, or next to nothing. The timers are Node's real ones, set shorter.
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { test } from 'tap';
import { createServer, TIMEOUTS } from '../../src/listener/server.ts';
import { mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';
import { startRunningBroker } from './running-broker.ts';

const SHORT = { headersMs: 300, requestMs: 600, keepAliveMs: 400, checkMs: 20 };
/** Node checks every `checkMs`, and a busy machine is late. */
const LATE_MS = 1000;

test('headers that do not come, or only drop by drop: 408 at the limit', async (t) => {
  const { broker, simulator, appKey: credential, logs } = await startRunningBroker(t, { seams: { timeouts: SHORT } });
  const cases = {
    'a request line and silence': ['POST /access-token HTTP/1.1\r\n'],
    'a field every 50 ms': Array.from({ length: 100 }, (_, i) =>
      i === 0 ? 'POST /access-token HTTP/1.1\r\n' : 'X: y\r\n',
    ),
  };
  for (const [name, drops] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      logs.length = 0;
      const start = performance.now();
      const connection = await openRaw(t, broker.url);
      let next = 0;
      const tap = setInterval(() => connection.send(drops[next++] ?? ''), 50);
      t.teardown(() => clearInterval(tap));
      const response = await connection.response();
      clearInterval(tap);
      isProblem(t, response, 'request_timeout');
      t.equal(response.headers['connection'], 'close');
      await connection.ended();
      const took = performance.now() - start;
      t.ok(took > SHORT.headersMs - 50 && took < SHORT.headersMs + LATE_MS, `ended after ${took} ms`);
      t.match(logs, [{ outcome: 'request_timeout', status: 408 }]);
      t.equal(logs.length, 1);
    });
  }

  await t.test('connect and silence: an end with no response, which could cross with the first request', async (t) => {
    logs.length = 0;
    const start = performance.now();
    const connection = await openRaw(t, broker.url);
    await connection.ended();
    const took = performance.now() - start;
    t.ok(took > SHORT.headersMs - 50 && took < SHORT.headersMs + LATE_MS, `ended after ${took} ms`);
    t.equal(connection.rest(), '');
    t.strictSame(logs, []);
  });

  await t.test('the second request of a connection, after the first was served', async (t) => {
    const connection = await openRaw(t, broker.url);
    connection.send(`${mintBytes({ credential })}POST /access-token HTTP/1.1\r\nX`);
    t.equal((await connection.response()).status, 200);
    isProblem(t, await connection.response(), 'request_timeout');
    await connection.ended();
    t.equal(connection.rest(), '');
  });
  t.equal(simulator.journal.entries().length, 1);
});

test('a body that does not come, or only drop by drop: 408 at the limit, once', async (t) => {
  const { broker, simulator, appKey: credential, logs } = await startRunningBroker(t, { seams: { timeouts: SHORT } });
  for (const framing of ['Content-Length: 200', 'Transfer-Encoding: chunked']) {
    for (const drop of ['', framing.startsWith('T') ? '1\r\n \r\n' : ' ']) {
      await t.test(`${framing}, ${drop === '' ? 'silence' : 'a byte every 50 ms'}`, async (t) => {
        logs.length = 0;
        const start = performance.now();
        const connection = await openRaw(t, broker.url);
        connection.send(mintBytes({ credential, framing: [framing], body: '' }));
        const tap = setInterval(() => connection.send(drop), 50);
        t.teardown(() => clearInterval(tap));
        const response = await connection.response();
        clearInterval(tap);
        isProblem(t, response, 'request_timeout');
        await connection.ended();
        t.equal(connection.rest(), '');
        const took = performance.now() - start;
        t.ok(took > SHORT.requestMs - 50 && took < SHORT.requestMs + LATE_MS, `ended after ${took} ms`);
        t.match(logs, [{ outcome: 'request_timeout', status: 408, client: 'kiosk', route: '/access-token' }]);
        t.equal(logs.length, 1);
      });
    }
  }
  t.strictSame(simulator.journal.entries(), [], 'nothing was minted');
});

test('a refused client that keeps on sending its body is cut off at the limit', async (t) => {
  const { broker } = await startRunningBroker(t, { seams: { timeouts: SHORT } });
  const start = performance.now();
  const connection = await openRaw(t, broker.url);
  connection.send(mintBytes({ credential: 'nobody', framing: ['Transfer-Encoding: chunked'], body: '' }));
  isProblem(t, await connection.response(), 'unauthenticated');
  const tap = setInterval(() => connection.send('1\r\n \r\n'), 50);
  t.teardown(() => clearInterval(tap));
  await connection.ended();
  t.equal(connection.rest(), '', 'its one answer was the 401');
  t.ok(performance.now() - start < SHORT.requestMs + LATE_MS);
});

test('an idle connection ends at its limit, without a response', async (t) => {
  const { broker } = await startRunningBroker(t, { seams: { timeouts: SHORT } });
  const connection = await openRaw(t, broker.url);
  connection.send('GET /livez HTTP/1.1\r\nHost: b\r\n\r\n');
  t.equal((await connection.response()).status, 200);
  await connection.ended(SHORT.keepAliveMs + 2000);
  t.equal(connection.rest(), '');
});

test('a client that does not read its answers is cut, even complete ones; one that waits for an answer is not', async (t) => {
  const running = await startRunningBroker(t, { seams: { timeouts: { ...SHORT, stalledMs: 500 } } });
  const { broker, simulator, appKey: credential, logs } = running;
  const { port } = new URL(broker.url);
  const staring = connect({ host: '127.0.0.1', port: Number(port) });
  t.teardown(() => staring.destroy());
  staring.on('error', () => {});
  staring.pause();
  // Together more than the buffers of two connections hold.
  staring.write('GET /openapi.json HTTP/1.1\r\nHost: b\r\n\r\n'.repeat(99));
  const isCut = (): boolean => logs.some(({ route, outcome }) => route === '/openapi.json' && outcome === 'aborted');
  while (!isCut()) await new Promise((resolve) => setTimeout(resolve, 10));

  simulator.settings.latency.mintMs = 1_500;
  const waiting = await openRaw(t, broker.url);
  waiting.send(mintBytes({ credential }));
  t.equal((await waiting.response()).status, 200, 'after three times as long as a reader may stall');
});

test('a TLS client that never sends its hello is cut off at the time limit for headers', async (t) => {
  const { broker } = await startRunningBroker(t, { tls: true, seams: { timeouts: SHORT } });
  const { port } = new URL(broker.url);
  const silent = connect({ host: '127.0.0.1', port: Number(port) });
  t.teardown(() => silent.destroy());
  silent.on('error', () => {});
  await once(silent, 'connect');
  const start = performance.now();
  silent.resume();
  await once(silent, 'close');
  t.ok(performance.now() - start < SHORT.headersMs + LATE_MS);
});

test('a TLS client that sends nothing after its handshake gets no answer, either', async (t) => {
  const { broker, certificate } = await startRunningBroker(t, { tls: true, seams: { timeouts: SHORT } });
  const { port } = new URL(broker.url);
  const socket = connectTls({ host: '127.0.0.1', port: Number(port), ca: certificate?.pem, servername: 'localhost' });
  await once(socket, 'secureConnect');
  const silent = await openRaw(t, broker.url, socket);
  await silent.ended();
  t.equal(silent.rest(), '');
});

test('the production timeouts are set', async (t) => {
  t.strictSame(TIMEOUTS, {
    headersMs: 10_000,
    requestMs: 30_000,
    keepAliveMs: 72_000,
    stalledMs: 120_000,
    checkMs: 500,
  });
  const server = createServer(() => {}, { tls: null });
  t.match(server, { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 72_000, timeout: 120_000 });
  t.ok(server.keepAliveTimeout > 60_000, 'longer than load balancers keep theirs');
});
