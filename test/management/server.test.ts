// The operator's listener, from outside.
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gauge } from 'prom-client';
import { type Test, test } from 'tap';
import { createReadiness } from '../../src/listener/readiness.ts';
import { buildManagement } from '../../src/management/server.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { openRaw } from '../e2e/raw-connection.ts';

async function listening(t: Test, metrics = createMetrics(), lines: string[] = []) {
  const app = await buildManagement({
    readiness: createReadiness(),
    logger: createLogger('info', { write: (line) => void lines.push(line) }),
    metrics,
    admin: null,
    details: () => ({ upstream: { breaker: 'closed' }, store: 'up' }),
  });
  t.teardown(() => app.close());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}` };
}

const setUp = async (t: Test, ...parts: Parts) => openRaw(t, (await listening(t, ...parts)).url);
type Parts = [metrics?: Metrics, lines?: string[]];

test('the operator gets the id of a request in its header and in its body, and does not choose it', async (t) => {
  const connection = await setUp(t);
  const ids = new Set<unknown>();
  for (const name of ['Request-Id', 'X-Request-Id']) {
    connection.send(`GET /nothing HTTP/1.1\r\nHost: broker\r\n${name}: chosen\r\n\r\n`);
    const { status, headers, json } = await connection.response();
    t.equal(status, 404);
    t.match(headers['x-request-id'], /^[\da-f]{8}-[\da-f-]{27}$/);
    t.equal(json['request_id'], headers['x-request-id']);
    ids.add(json['request_id']);
  }
  t.equal(ids.size, 2);
});

test('what is not HTTP gets one answer, after the answers to the requests before it', async (t) => {
  const connection = await setUp(t);
  connection.send('GET /livez HTTP/1.1\r\nHost: broker\r\n\r\nnonsense\r\n\r\n');
  t.equal((await connection.response()).status, 200);
  t.match(await connection.response(), { status: 400, json: { error_code: 'invalid_request', source: 'broker' } });
  await connection.ended();
  t.equal(connection.rest(), '');
});

test('without an admin token there is no admin API', async (t) => {
  const connection = await setUp(t);
  connection.send('GET /admin/sessions HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer \r\n\r\n');
  t.equal((await connection.response()).status, 404);
});

test('a connection that sends no request, or only half of one, does not hold up the shutdown', async (t) => {
  for (const half of ['', 'GET /livez HTTP/1.1\r\n']) {
    const { app, url } = await listening(t);
    const connection = await openRaw(t, url);
    connection.send(half);
    const served = await openRaw(t, url);
    served.send('GET /livez HTTP/1.1\r\nHost: broker\r\n\r\n');
    await served.response(); // by now the server has read the other one, too
    const closed = app.close();
    await connection.ended();
    await closed;
  }
});

test('an internal error is logged with its cause and counted, as on the public listener', async (t) => {
  const metrics = createMetrics();
  const lines: string[] = [];
  const connection = await setUp(t, metrics, lines);
  metrics.registry.metrics = async () => {
    throw new TypeError('a bug');
  };
  connection.send('GET /metrics HTTP/1.1\r\nHost: broker\r\n\r\n');
  const { status, json } = await connection.response();
  t.match([status, json], [500, { error_code: 'internal_error', source: 'broker' }]);
  t.match(
    lines.map((line) => JSON.parse(line)),
    [{ level: 'error', request_id: json['request_id'], outcome: 'internal_error', err: { type: 'TypeError' } }],
  );
  t.match(await metrics.internalErrors.get(), { values: [{ value: 1 }] });
});

test('a response that is under way at a shutdown still arrives', async (t) => {
  const metrics = createMetrics();
  const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>();
  new Gauge({
    name: 'slow',
    help: 'Takes its time.',
    registers: [metrics.registry],
    async collect() {
      isAsked();
      await sleep(100);
    },
  });
  const { app, url } = await listening(t, metrics);
  const connection = await openRaw(t, url);
  connection.send('GET /metrics HTTP/1.1\r\nHost: broker\r\n\r\n');
  await asked;
  const closed = app.close();
  t.equal((await connection.response()).status, 200);
  await closed;
});
