// A refused or failed request, told to its log record; faults of ours and of upstream get a line of their own with the cause.
import type { FastifyRequest } from 'fastify';
import type { Problem } from '../errors/problems.ts';
import type { Logger } from './logger.ts';

export function reportProblem(logger: Logger): (problem: Problem, request: FastifyRequest) => void {
  return (problem, request) => {
    const outcome = problem.errorCode ?? 'upstream_error';
    request.record.outcome = outcome;
    if (problem.details.upstreamRequestId !== undefined)
      request.record.upstreamRequestId = problem.details.upstreamRequestId;
    // What is turned away on purpose has no cause: its own line says all, and under load a second one would cost as much as the answer.
    if (problem.status < 500 || problem.details.cause === undefined) return;
    const level = problem.code === 'internal_error' ? 'error' : 'warn';
    logger[level]({ request_id: request.id, outcome, err: problem.details.cause }, 'request failed');
  };
}
