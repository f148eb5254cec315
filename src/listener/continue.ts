// `Expect: 100-continue`: the client is told to send its body only after it was found worth reading.
import type { FastifyInstance } from 'fastify';
import { expectsContinue } from './server.ts';

/**
 * Sends `100 Continue` when authentication and limits are behind the request and its body is not too long anyway, so that
 * a refused request never uploads anything.
 * @see RFC 9110 §10.1.1
 */
export function sendContinueBeforeBody(app: FastifyInstance): void {
  app.addHook('preParsing', (request, reply, _payload, done) => {
    if (request.raw[expectsContinue] === true) {
      const length = Number(request.headers['content-length'] ?? 0);
      if (length <= request.routeOptions.bodyLimit) reply.raw.writeContinue();
    }
    done();
  });
}
