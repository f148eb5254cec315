// What a pool of leases is asked and what it answers: types shared by the in-memory table and the Redis script.

/** What is leased. A pool is all of the account's leases of one kind. */
export const LEASE_KINDS = ['tts', 'stt', 'agent', 'tts_socket'] as const;
export type LeaseKind = (typeof LEASE_KINDS)[number];

/** Rules of a whole pool. Sent with each call, so that a new configuration applies as soon as a replica has it. */
export interface PoolRules {
  /** Most leases at a time; `null` = the account is not limited. */
  readonly limit: number | null;
  /** Leases kept free for client apps, by name; only those that have a reserve. */
  readonly reserved: ReadonlyMap<string, number>;
  /** Most asks that wait at a time. A subject may add one only while it has fewer waiting than places are left, so none fills it alone. */
  readonly queueMax: number;
  /** Several client apps compete for its leases: none of them may fill the queue alone either, see `CLIENT_WAITING`. */
  readonly isShared: boolean;
}

/** Identifies a lease and who it is for. */
export interface LeaseHolder {
  /** Unique, chosen by the replica that asks: asking again with the same id changes nothing. */
  readonly id: string;
  readonly client: string;
  readonly subject: string;
}

/**
 * In a shared queue, a client app may have this many times as many asks waiting as there are places left. One that floods the queue gets
 * four fifths of it, ten get about a tenth each, and a newcomer still finds a place.
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
  /** Nothing is free, and the ask may not wait or the queue has no place for it. */
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
  /** Temporary limit below the configured one, because upstream refused; `null` = not lowered. */
  readonly loweredTo: number | null;
}

/** Durations, milliseconds. */
export interface LeaseTimes {
  /** A lease that its holder does not confirm expires after this. */
  readonly ttlMs: number;
  /** The same for a lease that was granted to a waiting ask and not taken up yet. */
  readonly offerMs: number;
  /** How long upstream's own refusal lowers the limit. */
  readonly loweredMs: number;
  /** A store that was found empty grants nothing for this long, so that replicas can re-enter the leases they hold. */
  readonly warmMs: number;
}

export const LEASE_TIMES: LeaseTimes = { ttlMs: 10_000, offerMs: 2_000, loweredMs: 10_000, warmMs: 1_000 };

/** Assumed time that a lease is held until one has been measured. */
export const HOLD_GUESS_MS = 1_000;

/** Weight of the newest measurement in the running mean. */
export const HOLD_SHARE = 0.1;
