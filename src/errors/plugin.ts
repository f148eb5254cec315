// The one place where a Problem becomes an HTTP answer.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { toProblem } from './from-fastify.ts';
import { Problem } from './problems.ts';
import { errorBody, errorHeaders } from './wire.ts';

export interface ErrorsOptions {
  /** Told of every refused or failed request, before it is answered. */
  readonly onProblem?: (problem: Problem, request: FastifyRequest) => void;
}

export const errors = fp<ErrorsOptions>(
  async (app, { onProblem }) => {
    app.setErrorHandler((error: FastifyError, request, reply) => {
      const problem = toProblem(error);
      onProblem?.(problem, request);
      return sendProblem(reply, problem);
    });
    app.setNotFoundHandler((request, reply) => {
      const problem = new Problem('not_found');
      onProblem?.(problem, request);
      return sendProblem(reply, problem);
    });
  },
  { name: 'errors', fastify: '5.x' },
);

/**
 * Bytes rather than an object: an error answer passes no serialiser that a route's schema could narrow.
 * @param details further members, for an operator
 */
export function sendProblem(reply: FastifyReply, problem: Problem, details: object = {}): FastifyReply {
  return reply
    .code(problem.status)
    .headers(errorHeaders(problem))
    .type('application/json; charset=utf-8')
    .serializer(identity)
    .send(JSON.stringify({ ...errorBody(problem, reply.request.id), ...details }));
}

const identity = (payload: unknown): string => String(payload);
