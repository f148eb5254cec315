// Session tokens of managed agents: one browser, one agent, one call.

import { randomBytes } from 'node:crypto';

export interface AgentSession {
  readonly agentId: string;
  /** Values fixed by the server for this call. */
  readonly dynamicVariables: Readonly<Record<string, unknown>>;
  readonly configOverrides: Readonly<Record<string, unknown>>;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** Sessions that were created and not yet used. Cartesia does not document the form and lifetime of their tokens. */
export class AgentSessions {
  readonly #sessions = new Map<string, AgentSession>();

  /** @returns the token that opens this session's socket, once */
  create(session: AgentSession): string {
    const token = `ast_${randomBytes(24).toString('base64url')}`;
    this.#sessions.set(token, session);
    return token;
  }

  /** Returns the session of a token for this agent; null if there is none or it has expired. */
  find(token: string, agentId: string, nowMs: number): AgentSession | null {
    const session = this.#sessions.get(token);
    return session?.agentId === agentId && nowMs < session.expiresAt ? session : null;
  }

  /** Uses a token up, once its call has begun. */
  use(token: string): void {
    this.#sessions.delete(token);
  }
}
