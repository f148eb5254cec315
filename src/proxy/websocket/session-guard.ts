// Where limits meet sockets: asked before one opens and before each generation begins, told when they are over. Without limits,
// everything goes.
import type { Problem } from '../../errors/problems.ts';
import type { Principal } from '../../identity/principal.ts';
import type { SocketEndpoint } from '../../upstream/endpoints.ts';
import type { SocketUsage } from './protocols/protocol.ts';

export interface SessionFacts {
  readonly principal: Principal;
  readonly endpoint: Pick<SocketEndpoint, 'path' | 'concurrency'>;
  readonly requestId: string;
  /** For good: the credential was revoked, the budget is spent. Readers get their errors, then the socket is closed. */
  readonly cut: (problem: Problem) => void;
}

export interface SessionGuards {
  /**
   * Before upstream is asked. Rejects with a Problem, which becomes the answer to the upgrade.
   * @param whenGone takes what is to be called when the client leaves meanwhile: then nothing is waited for any more
   */
  open(session: SessionFacts, whenGone: (listener: () => void) => void): SessionGuard | Promise<SessionGuard>;
}

/** One socket. */
export interface SessionGuard {
  /**
   * Before the first message of a context goes up. While a promise is pending the context's messages are held, in their order; those of
   * other contexts go on. A Problem becomes the context's error event.
   */
  beginContext(contextId: string): 'go' | Promise<'go' | Problem>;
  /** Once for each context that began, also while it was still waiting. */
  endContext(contextId: string): void;
  /** Before its end: upstream has too many already, in spite of the lease. */
  contextRefused(contextId: string): void;
  /** Instead of being opened: the same of the socket. */
  refused(): void;
  /** What was consumed since the last time; about every five seconds, and at the end. Told at least once of a socket that was open. */
  used(usage: Readonly<SocketUsage>): void;
  /** The socket is over, its contexts with it. @param isOverUpstream it ended there; otherwise upstream has yet to notice */
  end(isOverUpstream: boolean): void;
}

/** No limits. */
export const OPEN_GUARD: SessionGuard = {
  beginContext: () => 'go',
  endContext: () => {},
  contextRefused: () => {},
  refused: () => {},
  used: () => {},
  end: () => {},
};
