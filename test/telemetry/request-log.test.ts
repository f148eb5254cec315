// One log line and one set of counts per request, over real connections.
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import Fastify from 'fastify';
import { type Test, test } from 'tap';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { requestLog } from '../../src/telemetry/request-log.ts';
import type { RequestRecord } from '../../src/telemetry/request-record.ts';
import { createSubjectHash } from '../../src/telemetry/subject-hash.ts';

type Line = Readonly<Record<string, unknown>>;

/** `record`: what is recorded for each request; `status`: the status of its response, `null` = no response. */
async function setUp(
  t: Test,
  { record = {}, status = 200 }: { record?: Partial<RequestRecord>; status?: number | null },
) {
  const metrics = createMetrics();
  let told = Promise.withResolvers<Line>();
  const logger = createLogger('debug', { write: (line) => told.resolve(JSON.parse(line)) });
  const app = Fastify();
  t.teardown(() => app.close());
  await app.register(requestLog, { logger, metrics, subjectHash: createSubjectHash() });
  for (const path of ['/things/:id', '/livez', '/access-token'])
    app.get(path, async (request, reply) => {
      Object.assign(request.record, record);
      return status === null ? reply.hijack() : reply.code(status).send('x');
    });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    /** @returns its log line */
    async ask(path: string, field = 'Accept: */*'): Promise<Line> {
      told = Promise.withResolvers();
      const socket = connect(port, '127.0.0.1');
      socket.write(`GET ${path} HTTP/1.1\r\nHost: b\r\n${field}\r\nConnection: close\r\n\r\n`);
      if (status === null) await once(app.server, 'request').then(() => socket.destroy());
      const line = await told.promise;
      socket.destroy();
      return line;
    },
    async counted(name: string): Promise<readonly [labels: object, value: number][]> {
      const metric = await metrics.registry.getSingleMetric(name)?.get();
      return (metric?.values ?? []).map(({ labels, value }) => [labels, value] as const) as [object, number][];
    },
  };
}

test('a request is counted by route template, method and status, and its time in seconds', async (t) => {
  const { ask, counted } = await setUp(t, {});
  const startedMs = performance.now();
  t.match(await ask('/things/7?a=b'), {
    level: 'info',
    route: '/things/:id',
    method: 'GET',
    status: 200,
    outcome: 'ok',
  });
  t.match(await ask('/nothing'), { route: '(none)', status: 404 });
  t.strictSame(await counted('broker_http_requests_total'), [
    [{ route: '/things/:id', method: 'GET', status: 200 }, 1],
    [{ route: '(none)', method: 'GET', status: 404 }, 1],
  ]);
  const metric = 'broker_http_request_duration_seconds';
  const [labels, seconds] = (await counted(metric)).at(-2) ?? [];
  t.match(labels, { route: '(none)' });
  const mostSeconds = (performance.now() - startedMs) / 1000;
  t.ok(seconds !== undefined && seconds >= 0 && seconds <= mostSeconds, `${seconds} s`);
  for (const bad of ['broker_answers_broken_off_total', 'broker_authentication_failures_total', 'broker_mints_total'])
    t.strictSame(await counted(bad), [], bad);
});

test('a client that left before the response began is logged as 499 aborted, whatever else failed', async (t) => {
  const { ask } = await setUp(t, { status: null, record: { outcome: 'upstream_timeout' } });
  t.match(await ask('/things/7'), { status: 499, outcome: 'aborted' });
});

test('a 200 response that ended badly is counted, with codes outside the catalogue under one word', async (t) => {
  for (const [outcome, word] of [
    ['upstream_timeout', 'upstream_timeout'],
    ['voice_not_found', 'upstream_error'],
  ] as const) {
    const { ask, counted } = await setUp(t, { record: { outcome } });
    t.match(await ask('/things/7'), { status: 200, outcome });
    t.strictSame(await counted('broker_answers_broken_off_total'), [[{ route: '/things/:id', outcome: word }, 1]]);
  }
  const refused = await setUp(t, { record: { outcome: 'invalid_request' }, status: 400 });
  await refused.ask('/things/7');
  t.strictSame(await refused.counted('broker_answers_broken_off_total'), []);
});

test('probes are logged at debug level unless they fail', async (t) => {
  t.match(await (await setUp(t, {})).ask('/livez'), { level: 'debug' });
  const { ask } = await setUp(t, { record: { outcome: 'overloaded' }, status: 503 });
  t.match(await ask('/livez'), { level: 'info' });
});

test('the reason of a refused credential is counted; a rate limit is not', async (t) => {
  const refused = await setUp(t, { record: { outcome: 'unauthenticated', reason: 'why' }, status: 401 });
  t.match(await refused.ask('/things/7'), { reason: 'why', audit: 'refusal' });
  t.strictSame(await refused.counted('broker_authentication_failures_total'), [[{ reason: 'why' }, 1]]);
  const limited = await setUp(t, { record: { outcome: 'rate_limited', reason: 'rate_of_subject' }, status: 429 });
  await limited.ask('/things/7');
  t.strictSame(await limited.counted('broker_authentication_failures_total'), []);
});

test('the outcome of a mint is counted, even for an unknown caller', async (t) => {
  const mint = { grants: ['tts'], expiresIn: 60, delivery: 'direct', reused: false };
  const cases: readonly [Partial<RequestRecord>, object][] = [
    [
      { client: 'web', mint },
      { client: 'web', delivery: 'direct', outcome: 'minted' },
    ],
    [
      { client: 'web', mint: { ...mint, reused: true } },
      { client: 'web', delivery: 'direct', outcome: 'reused' },
    ],
    [{ outcome: 'unauthenticated' }, { client: '(none)', delivery: '(none)', outcome: 'unauthenticated' }],
  ];
  for (const [record, labels] of cases) {
    const { ask, counted } = await setUp(t, { record });
    await ask('/access-token');
    t.strictSame(await counted('broker_mints_total'), [[labels, 1]]);
    await ask('/things/7');
    t.strictSame(await counted('broker_mints_total'), [[labels, 1]], 'only mints are counted');
  }
});

test('a subject is never logged in plain text', async (t) => {
  const { ask } = await setUp(t, { record: { client: 'web', subject: 'ann@example.com' } });
  t.match(await ask('/things/7'), { client: 'web', subject: /^[\w-]{16}$/ });
});

test('the line has the trace that the caller names', async (t) => {
  const { ask } = await setUp(t, {});
  const trace = '0af7651916cd43dd8448eb211c80319c';
  t.match(await ask('/things/1', `Traceparent: 00-${trace}-b7ad6b7169203331-01`), { trace_id: trace });
  t.notOk('trace_id' in (await ask('/things/1', 'Traceparent: none')));
  t.notOk('trace_id' in (await ask('/things/1')));
});
