// Concurrency as this replica handles it: asks the store for leases, waits for them, confirms what it holds, gives back what is over.
// Where nothing is limited there is nothing to ask, and it costs nothing.
import type { Config } from '../config/config.ts';
import type { Problem } from '../errors/problems.ts';
import type { LeaseKind, PoolView } from '../store/lease-rules.ts';
import { LEASE_KINDS } from '../store/lease-rules.ts';
import type { Store } from '../store/store.ts';
import type { LeaseRequest } from './lease.ts';
import { LeaseDesk, type LeaseLoad } from './lease-desk.ts';
import { poolRules, shareOf } from './lease-shares.ts';
import type { LimitObserver } from './limit-event.ts';

/** In whose name something runs. */
export interface LeaseTaker {
  readonly client: string;
  readonly subject: string;
}

export interface Leases {
  /** Whether anything limits a client app's use of the kind. Where nothing does, there is nothing to ask. */
  isLimited(kind: LeaseKind, client: string): boolean;
  /**
   * Asks for one lease.
   * @param waitMs how long it may take
   */
  ask(kind: LeaseKind, taker: LeaseTaker, waitMs: number): LeaseRequest;
  /** How long requests over HTTP wait, and contexts in a socket. Milliseconds. */
  readonly waits: { readonly http: number; readonly context: number };
  /** What is leased now, of all replicas; kinds that are limited. */
  view(): Promise<Readonly<Partial<Record<LeaseKind, PoolView>>>>;
  /** Leases that this replica holds or waits for. */
  readonly open: number;
  /** The same by kind and client app; kinds that are limited. */
  load(): readonly LeaseLoad[];
  /** Of the account, by kind; kinds without one are not there. */
  readonly limits: ReadonlyMap<LeaseKind, number>;
  /** Whoever waits for one is told this instead. What is held goes on. */
  refuseWaits(problem: Problem): void;
  /** Confirms nothing any more. What is still held is given back. */
  close(): Promise<void>;
}

export interface LeasesOptions {
  readonly config: Pick<Config, 'upstream' | 'limits' | 'clients'>;
  readonly store: Store;
  readonly onEvent: LimitObserver;
  /** How often what is held is confirmed; well below the life of a lease. Milliseconds. */
  readonly beatMs?: number;
}

const BEAT_MS = 2_500;

export function createLeases({ config, store, onEvent, beatMs = BEAT_MS }: LeasesOptions): Leases {
  const desks = new Map<LeaseKind, LeaseDesk>();
  const shares = new Map<LeaseKind, ReadonlyMap<string, ReturnType<typeof shareOf>>>();
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
    // A name says nothing about its pool; a desk that does not wait for it does nothing.
    onWake: (id) => all.forEach((desk) => void desk.wake(id)),
    onRenewed: () => all.forEach((desk) => void desk.beat()),
  });
  // In memory a holder cannot be lost without the store: nothing has to be confirmed.
  const timer =
    all.length > 0 && store.isShared
      ? setInterval(() => all.forEach((desk) => void desk.beat()), beatMs).unref()
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
