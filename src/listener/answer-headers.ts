// Header fields of every response.
import type { FastifyReply } from 'fastify';
import fp from 'fastify-plugin';

/** Sets the request's id, for support, and forbids guessing another media type than the one that is named. */
export function setAnswerHeaders(reply: FastifyReply): void {
  reply.header('x-request-id', reply.request.id).header('x-content-type-options', 'nosniff');
}

export const answerHeaders = fp(
  async (app) => {
    app.addHook('onRequest', (_request, reply, done) => {
      setAnswerHeaders(reply);
      done();
    });
  },
  { name: 'answer-headers', fastify: '5.x' },
);
