// Puts the outcome of a refused or failed request into its log record; a fault of ours or of upstream also gets a log line with its cause.
import type { FastifyRequest } from 'fastify';
import type { Problem } from '../errors/problems.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export function reportProblem(
  logger: Logger,
  { internalErrors }: Pick<Metrics, 'internalErrors'>,
): (problem: Problem, request: FastifyRequest) => void {
  return (problem, request) => {
    const outcome = problem.errorCode ?? 'upstream_error';
    request.record.outcome = outcome;
    // The status cannot tell: a 500 of Cartesia's is passed on as it is.
    if (problem.code === 'internal_error') internalErrors.inc();
    if (problem.details.upstreamRequestId !== undefined)
      request.record.upstreamRequestId = problem.details.upstreamRequestId;
    // A request refused on purpose has no cause: its request line says it all, and under load a second line would cost as much as the response.
    if (problem.status < 500 || problem.details.cause === undefined) return;
    const level = problem.code === 'internal_error' ? 'error' : 'warn';
    logger[level]({ request_id: request.id, outcome, err: problem.details.cause }, 'request failed');
  };
}
