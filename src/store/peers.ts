// Questions to all replicas at once: what only the one that carries something can tell or do.

export interface PeerAnswer {
  readonly replica: string;
  readonly text: string;
}

export interface PeerAnswers {
  /** This replica's own is the first. */
  readonly answers: readonly PeerAnswer[];
  /** Replicas that were heard of lately and did not answer. */
  readonly silent: number;
}

export interface Peers {
  /** Asks every replica, this one included. Never rejects, and never waits longer than a second. */
  ask(question: string): Promise<PeerAnswers>;
  /** How this replica answers, from now on. Texts may be as long as a message is allowed to be: keep them below a megabyte. */
  answer(reply: (question: string) => string): void;
}
