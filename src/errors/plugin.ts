// The one place where a Problem becomes an HTTP answer.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
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
  },
  { name: 'errors', fastify: '5.x' },
);

/** For what has no route. Registered last, in a scope of its own: refused behind the hooks that are there by then, before any body is read. */
export async function unknownRoutes(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', (_request, _reply, done) => done(new Problem('not_found')));
  app.setNotFoundHandler(() => {
    throw new Problem('not_found');
  });
}

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
