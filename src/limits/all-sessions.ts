// Lists and ends the sessions of all replicas. Each replica knows only its own, so all of them are asked.
import type { Peers } from '../store/peers.ts';
import type { Sessions, SessionView } from './sessions.ts';

/** Whose sessions; `null` = everybody's. */
export interface SessionFilter {
  readonly client: string | null;
  readonly subject: string | null;
}

/** A session and the replica that carries it. */
export interface PlacedSession extends SessionView {
  readonly replica: string;
}

export interface SessionList {
  /** At most a thousand per replica. */
  readonly sessions: readonly PlacedSession[];
  /** How many others fit the filter. */
  readonly leftOut: number;
  /** Replicas that did not answer: what they carry is not known. */
  readonly silent: number;
}

export interface AllSessions {
  list(filter: SessionFilter): Promise<SessionList>;
  /** @returns whether there was such a session; if not, how many replicas did not answer */
  kill(id: string): Promise<{ readonly killed: boolean; readonly silent: number }>;
}

/** About 250 bytes each. */
const LISTED_MAX = 1_000;

type Question =
  | { readonly ask: 'list'; readonly filter: SessionFilter }
  | { readonly ask: 'kill'; readonly id: string };

interface Listed {
  readonly sessions: readonly SessionView[];
  readonly leftOut: number;
}

export function createAllSessions(sessions: Sessions, peers: Peers): AllSessions {
  peers.answer((text) => {
    const question = JSON.parse(text) as Question; // written below, by a replica of this version or a near one
    return JSON.stringify(question.ask === 'kill' ? sessions.kill(question.id) : listed(sessions, question.filter));
  });
  const ask = (question: Question): ReturnType<Peers['ask']> => peers.ask(JSON.stringify(question));
  return {
    async list(filter) {
      const { answers, silent } = await ask({ ask: 'list', filter });
      const lists = answers.map(({ replica, text }) => ({ replica, ...(JSON.parse(text) as Listed) })); // see above
      return {
        sessions: lists.flatMap(({ replica, sessions: own }) => own.map((one) => ({ ...one, replica }))),
        leftOut: lists.reduce((sum, { leftOut }) => sum + leftOut, 0),
        silent,
      };
    },
    async kill(id) {
      if (sessions.kill(id)) return { killed: true, silent: 0 };
      const { answers, silent } = await ask({ ask: 'kill', id });
      return { killed: answers.some(({ text }) => text === 'true'), silent };
    },
  };
}

function listed(sessions: Sessions, { client, subject }: SessionFilter): Listed {
  const fitting = sessions
    .list()
    .filter((one) => (client === null || one.client === client) && (subject === null || one.subject === subject));
  return { sessions: fitting.slice(0, LISTED_MAX), leftOut: Math.max(0, fitting.length - LISTED_MAX) };
}
