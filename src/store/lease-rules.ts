// What is asked of a pool of leases and what it answers: the words that the memory's table and Redis' script share.

/** What is leased. A pool is all of the account's leases of one kind. */
export const LEASE_KINDS = ['tts', 'stt', 'agent', 'tts_socket'] as const;
export type LeaseKind = (typeof LEASE_KINDS)[number];

/** What holds for a whole pool. Sent with each question, so that a new configuration holds as soon as a replica has it. */
export interface PoolRules {
  /** Most leases at a time; `null` = the account is not limited. */
  readonly limit: number | null;
  /** Kept free for client apps, by name; only those that have a reserve. */
  readonly reserved: ReadonlyMap<string, number>;
  /** Most that wait at a time. A subject may have as many waiting as places are left, so none fills the queue alone. */
  readonly queueMax: number;
  /** Several client apps take leases of it: none of them may fill the queue either, see `CLIENT_WAITING`. */
  readonly isShared: boolean;
}

/** For whom a lease is. */
export interface LeaseHolder {
  /** Chosen by who asks, unique: asking again with the same name changes nothing. */
  readonly id: string;
  readonly client: string;
  readonly subject: string;
}

/**
 * Of a shared queue: how many times the places that are left one client app may have waiting. Alone it has four fifths of the queue; ten
 * that all want it whole have a tenth each, and a newcomer still finds a place.
 */
export const CLIENT_WAITING = 4;

export interface LeaseAsk extends LeaseHolder {
  /** The replica that asks: it is told when a waiting ask is granted. */
  readonly owner: string;
  /** Most at a time for the client app, and for the subject. */
  readonly clientMax: number | null;
  readonly subjectMax: number | null;
  /** The client app's share where several wait: twice the weight, twice the turns. */
  readonly weight: number;
  /** How long it may wait; 0 = not at all. */
  readonly waitMs: number;
}

export type LeaseAnswer =
  | { readonly outcome: 'granted' }
  | { readonly outcome: 'queued' }
  /** Nothing is free, and there is no waiting, or no more of it. */
  | { readonly outcome: 'refused'; readonly retryAfterMs: number };

/** A lease as an operator sees it. */
export interface LeaseView extends LeaseHolder {
  readonly owner: string;
  /** Since it was granted, by the store's clock. */
  readonly ageMs: number;
}

/** A pool as an operator sees it. */
export interface PoolView {
  readonly leases: readonly LeaseView[];
  readonly waiting: number;
  /** Below the configured limit for now, because upstream refused; `null` = not. */
  readonly loweredTo: number | null;
}

/** How long things last, milliseconds. */
export interface LeaseTimes {
  /** A lease that its holder does not confirm is free again after this. */
  readonly ttlMs: number;
  /** The same for one that was granted to a waiting ask and not taken up yet. */
  readonly offerMs: number;
  /** How long upstream's own refusal lowers the limit. */
  readonly loweredMs: number;
  /** A store that was found empty gives nothing out for this long, so that the replicas can enter again what they hold. */
  readonly warmMs: number;
}

export const LEASE_TIMES: LeaseTimes = { ttlMs: 10_000, offerMs: 2_000, loweredMs: 10_000, warmMs: 1_000 };

/** A hold of a generation until one was measured. */
export const HOLD_GUESS_MS = 1_000;

/** How much the newest hold counts in the mean. */
export const HOLD_SHARE = 0.1;
