// How many leases each client app and each subject of a pool holds, and how many of their asks wait.

export interface Count {
  held: number;
  queued: number;
}

/** Of a subject and of its client app: found once for an ask, kept with it. */
export interface Counts {
  readonly client: Count;
  readonly subject: Count;
}

interface ClientCounts extends Count {
  readonly subjects: Map<string, Count>;
  /** When there are so many subjects, those that have nothing are forgotten. */
  tidyAt: number;
}

/** A subject that has nothing costs about 100 bytes. */
const SUBJECTS_KEPT = 1_000;

/**
 * Those of somebody who was here a moment ago are still there: a table that is filled and emptied with every lease would leave a chain
 * of old ones behind (see collections/live-list.ts).
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
