// The interface between limits and sockets: asked before a socket opens and before each context begins, and told when they are over.
import type { Problem } from '../../errors/problems.ts';
import type { Principal } from '../../identity/principal.ts';
import type { SocketEndpoint } from '../../upstream/endpoints.ts';
import type { SocketUsage } from './protocols/protocol.ts';

export interface SessionFacts {
  readonly principal: Principal;
  readonly endpoint: Pick<SocketEndpoint, 'path' | 'concurrency'>;
  readonly requestId: string;
  /** Ends the socket because the credential was revoked or the budget is spent. Readers get their errors, then the socket is closed. */
  readonly cut: (problem: Problem) => void;
}

export interface SessionGuards {
  /**
   * Called before upstream is asked. Rejects with a Problem, which becomes the response to the upgrade.
   * @param whenGone registers what is called if the client leaves in the meantime, or has left, to end any wait
   */
  open(session: SessionFacts, whenGone: (listener: () => void) => void): SessionGuard | Promise<SessionGuard>;
}

/** The limits of one socket. */
export interface SessionGuard {
  /**
   * Called before a context's first message is sent to upstream. While a promise is pending, the context's messages are held, in order; other
   * contexts go on. A Problem becomes the context's error event.
   */
  beginContext(contextId: string): 'go' | Promise<'go' | Problem>;
  /** Called once for each context that began, even if it is still waiting. */
  endContext(contextId: string): void;
  /** Called before `endContext` if upstream already has too many contexts (429), despite the lease. */
  contextRefused(contextId: string): void;
  /** Called if upstream refuses to open the socket for the same reason. */
  refused(): void;
  /** What was consumed since the last call; every five seconds, sooner if it is much, and at the end. Called at least once for a socket that was open. */
  used(usage: Readonly<SocketUsage>): void;
  /** The socket is over, and its contexts with it. @param isOverUpstream it is not open upstream; otherwise upstream has yet to notice */
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
