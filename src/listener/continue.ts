// `Expect: 100-continue`: the client is told to send its body only after it was found worth reading.
import type { FastifyInstance } from 'fastify';
import { sendContinue } from './server.ts';

/**
 * Sends `100 Continue` when authentication and limits are behind the request and its body is not too long anyway, so that
 * a refused request never uploads anything.
 * @see RFC 9110 §10.1.1
 */
export function sendContinueBeforeBody(app: FastifyInstance): void {
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    const send = request.raw[sendContinue];
    if (send !== undefined && Number(request.headers['content-length'] ?? 0) <= request.routeOptions.bodyLimit) send();
    done();
  });
}
