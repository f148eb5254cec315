// What all WebSocket endpoints share: the type of an endpoint, authentication, and slots.

import type { SlotKind } from '../concurrency.ts';
import type { Caller, Requirement } from '../credentials.ts';
import { type Problem, problem } from '../problems.ts';
import type { Upgrade } from '../upgrade.ts';
import type { SocketSession } from './session.ts';

/** An upgrade request that matches an endpoint. */
export interface Opening {
  readonly upgrade: Upgrade;
  /** Decoded values of the `{name}` parts of the path. */
  readonly params: Readonly<Record<string, string>>;
  /** Responds with 101. If the handshake itself is faulty, the response is 400 and `opened` is not called. */
  accept(opened: (session: SocketSession) => void): void;
}

/** One WebSocket of the API. `path` must match as a whole; `{name}` stands for one segment. */
export interface SocketEndpoint {
  readonly path: string;
  open(opening: Opening): void;
}

/** Refuses after the upgrade, in the endpoint's form. */
export type Refusal = (session: SocketSession, refused: Problem) => void;

/** Ends a socket that was accepted only to be refused: an error event where the protocol has one, then 1008, which clients do not retry. */
export function refuseOpened(session: SocketSession, { title }: Problem, event: object | null): void {
  session.start({});
  if (event !== null) session.send(event);
  session.close(1008, title);
}

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
 * Accepts with a slot that is held while the socket is open, or refuses with 429. The slot is free again before the client can
 * notice the end, so that it may open the next socket at once.
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
    // If the handshake fails after this, there is no session to end, only a connection.
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
