// Questions to all replicas at once, about what only the replica that carries a session can tell or do.

export interface PeerAnswer {
  readonly replica: string;
  readonly text: string;
}

export interface PeerAnswers {
  /** This replica's own comes first. */
  readonly answers: readonly PeerAnswer[];
  /** Number of replicas that were seen recently and did not answer. */
  readonly silent: number;
}

export interface Peers {
  /** Asks every replica, this one included. Never rejects, and never waits longer than a second. */
  ask(question: string): Promise<PeerAnswers>;
  /** Sets how this replica answers from now on. A reply has to fit in one message: keep it below a megabyte. */
  answer(reply: (question: string) => string): void;
}
