// Concurrency limits at this replica: asks the store for leases, waits for them, confirms those held and gives back those no longer needed.
// Kinds that nothing limits need no leases and cost nothing.
import type { Config } from '../config/config.ts';
import type { Problem } from '../errors/problems.ts';
import type { LeaseKind, PoolView } from '../store/lease-rules.ts';
import { LEASE_KINDS } from '../store/lease-rules.ts';
import type { Store } from '../store/store.ts';
import type { LeaseRequest, LeaseTaker } from './lease.ts';
import { LeaseDesk, type LeaseLoad } from './lease-desk.ts';
import { type LeaseShare, poolRules, shareOf } from './lease-shares.ts';
import type { LimitObserver } from './limit-event.ts';

export interface Leases {
  /** Whether anything limits a client app's use of the kind. If not, `ask` must not be called. */
  isLimited(kind: LeaseKind, client: string): boolean;
  /**
   * Asks for one lease.
   * @param waitMs how long it may take
   */
  ask(kind: LeaseKind, taker: LeaseTaker, waitMs: number): LeaseRequest;
  /** How long HTTP requests and contexts in a socket may wait, milliseconds. */
  readonly waits: { readonly http: number; readonly context: number };
  /** The leases of all replicas, by kind; only kinds that are limited. */
  view(): Promise<Readonly<Partial<Record<LeaseKind, PoolView>>>>;
  /** Leases that this replica holds or waits for. */
  readonly open: number;
  /** The same by kind and client app; only kinds that are limited. */
  load(): readonly LeaseLoad[];
  /** The account's limits by kind; kinds without a limit are absent. */
  readonly limits: ReadonlyMap<LeaseKind, number>;
  /** Ends all waits with this Problem. Leases that are held stay. */
  refuseWaits(problem: Problem): void;
  /** Stops confirming leases and gives back those still held. */
  close(): Promise<void>;
}

export interface LeasesOptions {
  readonly config: Pick<Config, 'upstream' | 'limits' | 'clients'>;
  readonly store: Store;
  readonly onEvent: LimitObserver;
}

/** How often held leases are confirmed; well below the life of a lease. */
const BEAT_MS = 2_500;

export function createLeases({ config, store, onEvent }: LeasesOptions): Leases {
  const desks = new Map<LeaseKind, LeaseDesk>();
  const shares = new Map<LeaseKind, ReadonlyMap<string, LeaseShare>>();
  const limits = new Map<LeaseKind, number>();
  for (const kind of LEASE_KINDS) {
    const rules = poolRules(kind, config);
    const ofKind = new Map(config.clients.map((client) => [client.name, shareOf(kind, client)]));
    const isLimited = rules.limit !== null || [...ofKind.values()].some((one) => one.isLimited);
    if (!isLimited) continue;
    desks.set(kind, new LeaseDesk({ kind, pool: store.leases(kind), rules, replica: store.replica, onEvent }));
    if (rules.limit !== null) limits.set(kind, rules.limit);
    shares.set(kind, ofKind);
  }
  const all = [...desks.values()];
  store.listen({
    // An id does not tell its pool; a desk that does not wait for it does nothing.
    onWake: (id) => all.forEach((desk) => void desk.wake(id)),
    onRenewed: () => all.forEach((desk) => void desk.beat()),
  });
  // An in-memory store cannot outlive its holders, so nothing has to be confirmed.
  const timer =
    all.length > 0 && store.isShared
      ? setInterval(() => all.forEach((desk) => void desk.beat()), BEAT_MS).unref()
      : null;

  return {
    isLimited(kind, client) {
      const desk = desks.get(kind);
      return desk !== undefined && (desk.limit !== null || shares.get(kind)?.get(client)?.isLimited === true);
    },
    ask(kind, taker, waitMs) {
      const desk = desks.get(kind);
      const share = shares.get(kind)?.get(taker.client);
      if (desk === undefined || share === undefined) throw new TypeError(`nothing limits ${kind} of ${taker.client}`);
      return desk.ask(taker, share, waitMs);
    },
    waits: { http: config.limits.queue.waitMs, context: config.limits.queue.contextWaitMs },
    async view() {
      return Object.fromEntries(
        await Promise.all([...desks].map(async ([kind, desk]) => [kind, await desk.view()] as const)),
      );
    },
    get open() {
      return all.reduce((sum, desk) => sum + desk.open, 0);
    },
    load: () => all.flatMap((desk) => desk.load(config.clients.map(({ name }) => name))),
    limits,
    refuseWaits(problem) {
      for (const desk of all) desk.refuseWaits(problem);
    },
    async close() {
      if (timer !== null) clearInterval(timer);
      await Promise.all(all.map((desk) => desk.close()));
    },
  };
}
