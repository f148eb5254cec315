// The one place where a Problem becomes an HTTP response.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { toProblem } from './from-fastify.ts';
import { Problem } from './problems.ts';
import { errorBody, errorHeaders } from './wire.ts';

export interface ErrorsOptions {
  /** Called for every refused or failed request, before it is answered. */
  readonly onProblem?: (problem: Problem, request: FastifyRequest) => void;
  /** How it is answered; by default as JSON. */
  readonly send?: (reply: FastifyReply, problem: Problem) => FastifyReply;
}

export const errors = fp<ErrorsOptions>(
  async (app, { onProblem, send = sendProblem }) => {
    app.setErrorHandler((error: FastifyError, request, reply) => {
      const problem = toProblem(error);
      onProblem?.(problem, request);
      return send(reply, problem);
    });
  },
  { name: 'errors', fastify: '5.x' },
);

/** Refuses requests without a route. Register it last, in its own scope: it runs after the hooks that exist by then, before body parsing. */
export async function unknownRoutes(app: FastifyInstance): Promise<void> {
  app.addHook('onRequest', (_request, _reply, done) => done(new Problem('not_found')));
  app.setNotFoundHandler(() => {
    throw new Problem('not_found');
  });
}

/**
 * Sends text rather than an object, so that no serialiser from a route's schema can narrow an error response.
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
