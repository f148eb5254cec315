import type { FastifyRequest } from 'fastify';
import { test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { reportProblem } from '../../src/telemetry/report-problem.ts';
import { emptyRecord } from '../../src/telemetry/request-record.ts';

/** The outcome for the request's own log line, the lines logged before it, and the metrics. */
function report(problem: Problem) {
  const metrics = createMetrics();
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const request = { id: 'id-1', record: emptyRecord() } as FastifyRequest; // reportProblem reads nothing else
  reportProblem(logger, metrics)(problem, request);
  return { record: request.record, lines, metrics };
}

const cause = new TypeError('why');

test('an internal error is logged as an error with its cause, an upstream failure as a warning', async (t) => {
  const line = { request_id: 'id-1', err: { type: 'TypeError' }, msg: 'request failed' };
  const { lines, record } = report(new Problem('internal_error', undefined, { cause }));
  t.match(lines, [{ level: 'error', outcome: 'internal_error', ...line }]);
  t.equal(record.outcome, 'internal_error');
  t.match(report(new Problem('upstream_unavailable', undefined, { cause })).lines, [
    { level: 'warn', outcome: 'upstream_unavailable', ...line },
  ]);
});

test('a refused or rejected request has only its own line', async (t) => {
  const refused = report(new Problem('invalid_request', undefined, { cause }));
  t.strictSame([refused.lines, refused.record.outcome], [[], 'invalid_request']);
  const turnedAway = report(new Problem('overloaded'));
  t.strictSame([turnedAway.lines, turnedAway.record.outcome], [[], 'overloaded']);
});

test("Cartesia's request id is recorded if the problem has one", async (t) => {
  const problem = new Problem('upstream_rejected', undefined, { upstreamRequestId: 'req-1' });
  t.equal(report(problem).record.upstreamRequestId, 'req-1');
  t.equal(report(new Problem('upstream_rejected')).record.upstreamRequestId, null);
});

test('an upstream error without a code is logged as upstream_error', async (t) => {
  const upstream = { status: 418, errorCode: null, title: 'Teapot' };
  t.equal(report(new Problem('upstream_rejected', undefined, { upstream })).record.outcome, 'upstream_error');
});

test('an internal error is counted, a 500 of Cartesia is not', async (t) => {
  const upstream = { status: 500, errorCode: 'internal_error', title: 'Internal error' };
  for (const [problem, count] of [
    [new Problem('internal_error', undefined, { cause }), 1],
    [new Problem('internal_error'), 1],
    [new Problem('upstream_unavailable', undefined, { cause, source: 'upstream', upstream }), 0],
    [new Problem('upstream_unavailable', undefined, { cause }), 0],
  ] as const) {
    const { values } = await report(problem).metrics.internalErrors.get();
    t.match(values, [{ value: count, labels: {} }], `${problem.code} ${problem.status}`);
  }
});
