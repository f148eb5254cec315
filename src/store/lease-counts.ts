// Counts the leases that each client app and each subject hold in a pool, and their asks that wait.

export interface Count {
  held: number;
  queued: number;
}

/** The counts of a subject and of its client app, looked up once per ask and kept with it. */
export interface Counts {
  readonly client: Count;
  readonly subject: Count;
}

interface ClientCounts extends Count {
  readonly subjects: Map<string, Count>;
  /** At this number of subjects, those that hold nothing and wait for nothing are forgotten. */
  tidyAt: number;
}

/** An idle subject costs about 100 bytes. */
const SUBJECTS_KEPT = 1_000;

/**
 * Counts stay for a while after they reach zero: a table that is filled and emptied with every lease would leave a chain of old tables
 * behind (see collections/live-list.ts).
 */
export class LeaseCounts {
  readonly #clients = new Map<string, ClientCounts>();

  of({ client, subject }: { readonly client: string; readonly subject: string }): Counts {
    let ofClient = this.#clients.get(client);
    if (ofClient === undefined) {
      ofClient = { held: 0, queued: 0, subjects: new Map(), tidyAt: SUBJECTS_KEPT };
      this.#clients.set(client, ofClient);
    }
    let ofSubject = ofClient.subjects.get(subject);
    if (ofSubject === undefined) {
      if (ofClient.subjects.size >= ofClient.tidyAt) tidy(ofClient);
      ofSubject = { held: 0, queued: 0 };
      ofClient.subjects.set(subject, ofSubject);
    }
    return { client: ofClient, subject: ofSubject };
  }

  heldBy(client: string): number {
    return this.#clients.get(client)?.held ?? 0;
  }
}

function tidy(ofClient: ClientCounts): void {
  const { subjects } = ofClient;
  for (const [name, { held, queued }] of subjects) if (held === 0 && queued === 0) subjects.delete(name);
  ofClient.tidyAt = 2 * subjects.size + SUBJECTS_KEPT;
}
