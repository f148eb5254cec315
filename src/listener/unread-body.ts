// Discards the rest of a body whose request is answered before it has come: nobody will read it.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { announcesBody } from './framing.ts';

/**
 * For every response that is a refusal. An unread body would hold the connection, and the client with it, until some timeout ends both;
 * so the rest is read and discarded, and the connection ends after the response.
 */
export function leaveBody(request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = request;
  if (raw.complete || raw.destroyed || !announcesBody(raw)) return;
  reply.header('connection', 'close');
  raw.unpipe();
  raw.resume();
}

/** The same for errors of every route, if the body is long. The rest of a small one has usually come, and the connection is worth keeping. */
export function leaveLongBodies(app: FastifyInstance): void {
  app.addHook('onError', (request, reply, _error, done) => {
    const length = request.headers['content-length'];
    if (length === undefined || Number(length) > SMALL_BODY_BYTES) leaveBody(request, reply);
    done();
  });
}

const SMALL_BODY_BYTES = 64 * 1024;
