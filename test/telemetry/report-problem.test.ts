import type { FastifyRequest } from 'fastify';
import { test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { reportProblem } from '../../src/telemetry/report-problem.ts';
import { emptyRecord } from '../../src/telemetry/request-record.ts';

/** What the request's own line will say, and the lines before it. */
function report(problem: Problem) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const request = { id: 'id-1', record: emptyRecord() } as FastifyRequest; // it looks at nothing else
  reportProblem(logger)(problem, request);
  return { record: request.record, lines };
}

const cause = new TypeError('why');

test('a fault of ours is an error with its cause, one of upstream a warning', async (t) => {
  const line = { request_id: 'id-1', err: { type: 'TypeError' }, msg: 'request failed' };
  const { lines, record } = report(new Problem('internal_error', undefined, { cause }));
  t.match(lines, [{ level: 'error', outcome: 'internal_error', ...line }]);
  t.equal(record.outcome, 'internal_error');
  t.match(report(new Problem('upstream_unavailable', undefined, { cause })).lines, [
    { level: 'warn', outcome: 'upstream_unavailable', ...line },
  ]);
});

test('what is refused, or turned away on purpose, has its own line and no other', async (t) => {
  const refused = report(new Problem('invalid_request', undefined, { cause }));
  t.strictSame([refused.lines, refused.record.outcome], [[], 'invalid_request']);
  const turnedAway = report(new Problem('overloaded'));
  t.strictSame([turnedAway.lines, turnedAway.record.outcome], [[], 'overloaded']);
});

test("Cartesia's id of the request is kept where the problem has one", async (t) => {
  const problem = new Problem('upstream_rejected', undefined, { upstreamRequestId: 'req-1' });
  t.equal(report(problem).record.upstreamRequestId, 'req-1');
  t.equal(report(new Problem('upstream_rejected')).record.upstreamRequestId, null);
});

test("an answer of Cartesia's that has no code is one word in the log", async (t) => {
  const upstream = { status: 418, errorCode: null, title: 'Teapot' };
  t.equal(report(new Problem('upstream_rejected', undefined, { upstream })).record.outcome, 'upstream_error');
});
