// One unit of upstream concurrency, as whoever asks for it has it.
import type { Listed } from '../collections/live-list.ts';
import type { LeaseHolder } from '../store/lease-rules.ts';
import type { Soon } from '../store/soon.ts';

/** Ours until it is released. */
export interface Lease {
  /** Safe to call twice. */
  release(): void;
  /** The same, for what we have ended ourselves: a moment later, as upstream notices it a moment after us and counts it until then. */
  releaseLater(): void;
  /** Upstream refused in spite of it: fewer are given out for a while. */
  refusedUpstream(): void;
}

export interface LeaseRequest {
  /**
   * At hand where nothing has to be waited for. `null` = cancelled before it was granted.
   * Rejects with the Problem `concurrency_limited` when nothing became free in time, `store_unavailable` when nobody could say.
   */
  readonly granted: Soon<Lease | null>;
  /** Whoever asked is gone. What was granted is released. */
  cancel(): void;
}

const LINGER_MS = 250;

/** Who is told what becomes of leases. */
export interface LeaseKeeper {
  giveBack(lease: HeldLease): void;
  refusedUpstream(): void;
}

/** In its keeper's list from the beginning to its release. */
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
