// What every WebSocket endpoint is made of.

import type { SlotKind } from '../concurrency.ts';
import type { Caller, Requirement } from '../credentials.ts';
import { type Problem, problem } from '../problems.ts';
import type { Upgrade } from '../upgrade.ts';
import type { SocketSession } from './session.ts';

/** An upgrade that has found its endpoint. */
export interface Opening {
  readonly upgrade: Upgrade;
  /** Decoded values of the `{name}` parts of the path. */
  readonly params: Readonly<Record<string, string>>;
  /** Answers 101. Not called back when the handshake itself is faulty; that is answered with 400. */
  accept(opened: (session: SocketSession) => void): void;
}

/** One WebSocket of the API. `path` is matched whole; `{name}` stands for one segment. */
export interface SocketEndpoint {
  readonly path: string;
  open(opening: Opening): void;
}

/** Says no after the upgrade: an error event in the endpoint's form, then 1008, which clients do not retry. */
export type Refusal = (session: SocketSession, refused: Problem) => void;

/** Authenticates, or refuses in the way that the settings say. */
export function admitted(opening: Opening, requirement: Requirement, refuseLater: Refusal): Caller | null {
  const { upgrade } = opening;
  const authentication = upgrade.authenticate(requirement);
  if (authentication.outcome === 'allowed') return authentication.caller;
  const refused = authentication.problem;
  if (upgrade.world.settings.sockets.badCredential === 'upgrade') upgrade.refuse(refused);
  else opening.accept((session) => refuseLater(session, refused));
  return null;
}

/**
 * Accepts with a slot that is held for as long as the socket is open, or refuses with 429. The slot is free again before the
 * client can know of the end, so that it may open the next socket at once.
 */
export function acceptBooked(
  opening: Opening,
  kind: SlotKind,
  opened: (session: SocketSession) => void,
  refuseLater?: Refusal,
): void {
  const { world, request } = opening.upgrade;
  const slot = world.concurrency.take(kind);
  if (slot !== null) {
    // Where the handshake fails after this, no session ends, only the connection.
    request.socket.once('close', () => slot.release());
    opening.accept((session) => {
      session.whenOver(() => slot.release());
      opened(session);
    });
    return;
  }
  const refused = problem(world.settings, 'concurrency_limited');
  if (refuseLater === undefined) opening.upgrade.refuse(refused);
  else opening.accept((session) => refuseLater(session, refused));
}
