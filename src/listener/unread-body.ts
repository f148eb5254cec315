// A request that is answered before its body has come: nobody will read the rest of it.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { announcesBody } from './framing.ts';

/**
 * For every answer that is a refusal. A body that is left where it is would hold the connection, and the client with it, until some clock
 * ends both; so the rest is read and thrown away, and the connection ends behind the answer.
 */
export function leaveBody(request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = request;
  if (raw.complete || raw.destroyed || !announcesBody(raw)) return;
  reply.header('connection', 'close');
  raw.unpipe();
  raw.resume();
}

/** The same for every route, where much is to come. Of a small body the rest is here by now, as a rule, and the connection is worth more than that. */
export function leaveLongBodies(app: FastifyInstance): void {
  app.addHook('onError', (request, reply, _error, done) => {
    const length = request.headers['content-length'];
    if (length === undefined || Number(length) > SMALL_BODY_BYTES) leaveBody(request, reply);
    done();
  });
}

const SMALL_BODY_BYTES = 64 * 1024;
