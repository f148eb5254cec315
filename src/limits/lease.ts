// A lease: one unit of upstream concurrency, as its holder sees it.
import type { Listed } from '../collections/live-list.ts';
import type { LeaseHolder } from '../store/lease-rules.ts';
import type { MaybePromise } from '../store/maybe-promise.ts';

/** In whose name something runs. */
export interface LeaseTaker {
  readonly client: string;
  readonly subject: string;
}

/** Ours until it is released. */
export interface Lease {
  /** Safe to call twice. */
  release(): void;
  /** Releases it a moment later, for work that we ended ourselves: upstream counts it until it notices the end. */
  releaseLater(): void;
  /** Reports that upstream refused in spite of it: fewer are granted for a while. */
  refusedUpstream(): void;
}

export interface LeaseRequest {
  /**
   * A plain value if granted at once. `null` = cancelled before it was granted.
   * Rejects with the Problem `concurrency_limited` if nothing became free in time, `store_unavailable` if the store was away.
   */
  readonly granted: MaybePromise<Lease | null>;
  /** The caller is gone: ends the wait, or releases the lease if it was granted. */
  cancel(): void;
}

const LINGER_MS = 250;

/** Is told what becomes of leases. */
export interface LeaseKeeper {
  giveBack(lease: HeldLease): void;
  refusedUpstream(): void;
}

/** Stays in its keeper's list from the grant to the release. */
export class HeldLease implements Lease, LeaseHolder, Listed {
  readonly id: string;
  readonly client: string;
  readonly subject: string;
  place = -1;
  readonly #keeper: LeaseKeeper;

  constructor({ id, client, subject }: LeaseHolder, keeper: LeaseKeeper) {
    this.id = id;
    this.client = client;
    this.subject = subject;
    this.#keeper = keeper;
  }

  release(): void {
    if (this.place !== -1) this.#keeper.giveBack(this);
  }

  releaseLater(): void {
    setTimeout(() => this.release(), LINGER_MS).unref(); // a process that ends gives back all it holds
  }

  refusedUpstream(): void {
    this.#keeper.refusedUpstream();
  }
}
