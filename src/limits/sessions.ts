// The HTTP requests and sockets that this replica carries at the moment, to be listed and ended.
import { type Listed, LiveList } from '../collections/live-list.ts';
import { Problem } from '../errors/problems.ts';
import type { LimitObserver } from './limit-event.ts';
import type { Caller, Revocations } from './revocations.ts';

export interface Session {
  /** The request's id. */
  readonly id: string;
  readonly principal: Caller;
  /** Path template. */
  readonly endpoint: string;
  /** Ends it, with the Problem if the client can still be told. */
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
  /** @returns a function to call when the session is over */
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
  /** Their changes end the sessions of whoever is shut out. */
  readonly revocations: Revocations;
  readonly onEvent: LimitObserver;
}

export function createSessions({ revocations, onEvent }: SessionsOptions): Sessions {
  const open = new LiveList<Entry>();
  revocations.onChange(() => {
    for (const entry of open.all()) {
      const problem = revocations.refusalOf(entry.session.principal);
      if (problem !== null) cut(entry, problem, 'revoked');
    }
  });
  function cut(entry: Entry, problem: Problem, reason: 'revoked' | 'killed'): void {
    const { session } = entry;
    open.delete(entry); // a session is ended once
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
      cut(entry, new Problem('token_revoked', 'The operator has ended this session.'), 'killed');
      return true;
    },
  };
}
