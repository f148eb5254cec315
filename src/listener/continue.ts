// `Expect: 100-continue`: tells the client to send its body only after the request was admitted.
import type { FastifyInstance } from 'fastify';
import { sendContinue } from './server.ts';

/**
 * Sends `100 Continue` once the request has passed authentication and limits, unless its body is too long anyway, so that
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
