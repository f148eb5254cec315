// What is carried at this moment by this replica, over HTTP and in sockets: to be looked at, and to be stopped.
import { type Listed, LiveList } from '../collections/live-list.ts';
import { Problem } from '../errors/problems.ts';
import type { Caller, Revocations } from './revocations.ts';

export interface Session {
  /** The request's id. */
  readonly id: string;
  readonly principal: Caller;
  /** Template of the path. */
  readonly endpoint: string;
  /** Ends it; where it can still be told why, with the Problem. */
  readonly cut: (problem: Problem) => void;
}

/** A session as an operator sees it. */
export interface SessionView {
  readonly id: string;
  readonly client: string;
  readonly subject: string;
  /** Id of its access token; `null` where it was opened with another credential. */
  readonly token: string | null;
  readonly endpoint: string;
  readonly ageMs: number;
}

export interface Sessions {
  /** @returns to be called when it is over */
  add(session: Session): () => void;
  list(): readonly SessionView[];
  /** @returns whether there was such a session */
  kill(id: string): boolean;
}

interface Entry extends Listed {
  readonly session: Session;
  readonly sinceMs: number;
}

/** @param revocations whoever is shut out is stopped at once */
export function createSessions(revocations: Revocations): Sessions {
  const open = new LiveList<Entry>();
  revocations.onChange(() => {
    for (const { session } of open.all()) {
      const problem = whyRevoked(revocations, session);
      if (problem !== null) session.cut(problem);
    }
  });
  return {
    add(session) {
      const entry: Entry = { session, sinceMs: performance.now(), place: -1 };
      open.add(entry);
      return () => open.delete(entry);
    },
    list() {
      const now = performance.now();
      return open.all().map(({ session: { id, principal, endpoint }, sinceMs }) => {
        const token = principal.method === 'access_token' ? principal.claims['jti'] : null;
        return {
          id,
          client: principal.client,
          subject: principal.subject,
          token: typeof token === 'string' ? token : null,
          endpoint,
          ageMs: Math.round(now - sinceMs),
        };
      });
    },
    kill(id) {
      const entry = open.all().find(({ session }) => session.id === id);
      entry?.session.cut(new Problem('token_revoked', 'The operator has ended this session.'));
      return entry !== undefined;
    },
  };
}

/** What runs goes on while the store is away. */
function whyRevoked(revocations: Revocations, { principal }: Session): Problem | null {
  try {
    revocations.check(principal);
    return null;
  } catch (error) {
    return error instanceof Problem && error.code === 'token_revoked' ? error : null;
  }
}
