// A refused or failed request, told to its log record; faults of ours and of upstream get a line of their own with the cause.
import type { FastifyRequest } from 'fastify';
import { PROBLEMS, type Problem } from '../errors/problems.ts';
import type { Logger } from './logger.ts';

export function reportProblem(logger: Logger): (problem: Problem, request: FastifyRequest) => void {
  return (problem, request) => {
    request.record.outcome = problem.code;
    if (problem.details.upstreamRequestId !== undefined)
      request.record.upstreamRequestId = problem.details.upstreamRequestId;
    const { status } = PROBLEMS[problem.code];
    if (status < 500) return;
    const level = status === 500 ? 'error' : 'warn';
    logger[level]({ request_id: request.id, outcome: problem.code, err: problem.details.cause }, 'request failed');
  };
}
