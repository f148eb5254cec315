// Puts the outcome of a refused or failed request into its log record; a fault of ours or of upstream also gets a log line with its cause.
import type { FastifyRequest } from 'fastify';
import type { Problem } from '../errors/problems.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

type Counts = Pick<Metrics, 'internalErrors'>;

export function reportProblem(logger: Logger, counts: Counts): (problem: Problem, request: FastifyRequest) => void {
  const reportFault = faultReporter(logger, counts);
  return (problem, request) => {
    request.record.outcome = outcomeOf(problem);
    if (problem.details.upstreamRequestId !== undefined)
      request.record.upstreamRequestId = problem.details.upstreamRequestId;
    reportFault(problem, request);
  };
}

/** Only the log line and the count, for requests without a record. */
export function faultReporter(
  logger: Logger,
  { internalErrors }: Counts,
): (problem: Problem, request: Pick<FastifyRequest, 'id'>) => void {
  return (problem, { id }) => {
    // The status cannot tell: a 500 of Cartesia's is passed on as it is.
    if (problem.code === 'internal_error') internalErrors.inc();
    // A request refused on purpose has no cause: its request line says it all, and under load a second line would cost as much as the response.
    if (problem.status < 500 || problem.details.cause === undefined) return;
    const level = problem.code === 'internal_error' ? 'error' : 'warn';
    logger[level]({ request_id: id, outcome: outcomeOf(problem), err: problem.details.cause }, 'request failed');
  };
}

function outcomeOf(problem: Problem): string {
  return problem.errorCode ?? 'upstream_error';
}
