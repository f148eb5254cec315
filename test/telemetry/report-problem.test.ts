import type { FastifyRequest } from 'fastify';
import { test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { reportProblem } from '../../src/telemetry/report-problem.ts';
import { emptyRecord } from '../../src/telemetry/request-record.ts';

/** The outcome for the request's own log line, and the lines logged before it. */
function report(problem: Problem) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const request = { id: 'id-1', record: emptyRecord() } as FastifyRequest; // reportProblem reads nothing else
  reportProblem(logger)(problem, request);
  return { record: request.record, lines };
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
