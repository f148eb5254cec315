// Refuses a socket so that a web page can read why: accepts it, sends an error event, and closes it.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { agentErrorEvent, fieldsOf, sttErrorEvent, ttsErrorEvent } from '../../../errors/event.ts';
import { Problem } from '../../../errors/problems.ts';
import { endConnection } from '../../../listener/end-connection.ts';
import { takeOver, upgradeOf } from '../../../listener/upgrade.ts';
import type { SocketKind } from '../../../upstream/endpoints.ts';
import { CLOSE } from '../frames/close-code.ts';
import { makeCloseFrame, makeTextFrame } from '../frames/frame.ts';
import { acceptance, checkHandshake } from './handshake.ts';

/**
 * Of an upgrade that is refused with an HTTP status, web pages see only close code 1006. Programs other than browsers send no Origin; they can
 * read the status, and get it.
 * @returns whether the caller was told
 */
export function refuseWithEvent(
  request: FastifyRequest,
  reply: FastifyReply,
  kind: SocketKind,
  problem: Problem,
): boolean {
  const upgrade = request.raw[upgradeOf];
  if (upgrade === undefined || upgrade.socket.destroyed || request.headers.origin === undefined) return false;
  const accept = acceptFor(request);
  if (accept === null) return false;
  reply.hijack();
  takeOver(request.raw, reply.raw);
  const { socket } = upgrade;
  socket.write(acceptance(accept, request.id, null), 'latin1');
  const event = eventOf(kind, problem, request.id);
  if (event !== null) socket.write(makeTextFrame(JSON.stringify(event), false));
  socket.write(makeCloseFrame(problem.isRetryable ? CLOSE.tryLater : CLOSE.policy, codeOf(problem), false));
  endConnection(socket);
  return true;
}

function acceptFor(request: FastifyRequest): string | null {
  try {
    return checkHandshake(request.raw);
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

/** For places with room for one code: Cartesia's own, if it gave one. */
function codeOf(problem: Problem): string {
  return problem.errorCode ?? problem.code;
}

function eventOf(kind: SocketKind, problem: Problem, requestId: string): object | null {
  const fields = fieldsOf(problem, requestId, null);
  switch (kind) {
    case 'tts':
      return ttsErrorEvent(fields);
    case 'stt':
    case 'stt_turns':
      return sttErrorEvent(fields);
    case 'agent_managed':
      return agentErrorEvent(codeOf(problem), problem.message, true);
    case 'agent_line':
      return null; // it has no error event
  }
}
