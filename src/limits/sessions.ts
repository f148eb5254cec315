// What is carried at this moment by this replica, over HTTP and in sockets: to be looked at, and to be stopped.
import { type Listed, LiveList } from '../collections/live-list.ts';
import { Problem } from '../errors/problems.ts';
import type { LimitObserver } from './limit-event.ts';
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
  readonly open: number;
  list(): readonly SessionView[];
  /** @returns whether there was such a session */
  kill(id: string): boolean;
}

interface Entry extends Listed {
  readonly session: Session;
  readonly sinceMs: number;
}

export interface SessionsOptions {
  /** Whoever is shut out is stopped at once. */
  readonly revocations: Revocations;
  readonly onEvent: LimitObserver;
}

export function createSessions({ revocations, onEvent }: SessionsOptions): Sessions {
  const open = new LiveList<Entry>();
  revocations.onChange(() => {
    for (const { session } of open.all()) {
      const problem = revocations.refusalOf(session.principal);
      if (problem !== null) cut(session, problem, 'revoked');
    }
  });
  function cut(session: Session, problem: Problem, reason: 'revoked' | 'killed'): void {
    onEvent({ type: 'cut', client: session.principal.client, reason });
    session.cut(problem);
  }
  return {
    add(session) {
      const entry: Entry = { session, sinceMs: performance.now(), place: -1 };
      open.add(entry);
      return () => open.delete(entry);
    },
    get open() {
      return open.size;
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
      const entry = open.find(({ session }) => session.id === id);
      if (entry === undefined) return false;
      cut(entry.session, new Problem('token_revoked', 'The operator has ended this session.'), 'killed');
      return true;
    },
  };
}
