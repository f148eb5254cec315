// A request that is answered before its body has come: nobody will read the rest of it.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { announcesBody } from '../listener/framing.ts';

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
