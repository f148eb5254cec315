// Prometheus metrics of leases, budgets, revocations and the store. Labels have few values: kinds, client apps, outcomes; never a subject.
import { Counter, Gauge, type Histogram, type Registry } from 'prom-client';
import { hotCounter, hotHistogram } from './hot-metrics.ts';

/** Values read when the metrics are scraped. */
export interface LimitReadings {
  /** Leases that this replica holds and waits for, by kind and client app. */
  readonly leases: () => readonly {
    readonly kind: string;
    readonly client: string;
    readonly held: number;
    readonly waiting: number;
  }[];
  /** The account's configured lease limits, by kind; a kind without a limit is absent. */
  readonly limits: () => ReadonlyMap<string, number>;
  readonly openSessions: () => number;
  /** The scope of each revocation in force. */
  readonly revocations: () => readonly string[];
  /** Budget corrections that have not reached the store yet. */
  readonly budgetsOwed: () => number;
  readonly isStoreUp: () => boolean;
}

export interface LimitMetrics {
  /** `outcome`: `granted`, `waited`, `queue_full`, `wait_over`, `store_unavailable` or `left`. */
  readonly leases: Counter<'kind' | 'client' | 'outcome'>;
  readonly leaseWaitSeconds: Histogram<'kind' | 'client'>;
  readonly leasesRefusedUpstream: Counter<'kind'>;
  readonly budgetsBooked: Counter<'client' | 'unit'>;
  readonly budgetsReturned: Counter<'client' | 'unit'>;
  /** `budget` says whose budget was spent: `subject`, `client` or `account`. */
  readonly budgetsSpent: Counter<'client' | 'unit' | 'budget'>;
  readonly shutOut: Counter<'client'>;
  /** `reason`: `revoked` or `killed`. */
  readonly sessionsCut: Counter<'client' | 'reason'>;
  /** `call` is from a fixed list. */
  readonly storeSeconds: Histogram<'call'>;
  /** `reason`: `timeout`, `not_connected`, `left_alone` or `failed`. */
  readonly storeFailures: Counter<'call' | 'reason'>;
  /** Registers the gauges; call it once. */
  read(readings: LimitReadings): void;
}

/** Seconds, up to the longest wait configured in practice. */
const WAITS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30];
/** Seconds; a call to Redis times out after 0.1 s. */
const STORE_CALLS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25];

export function createLimitMetrics(registry: Registry): LimitMetrics {
  const registers = [registry];
  return {
    leases: hotCounter({
      name: 'broker_leases_total',
      help: 'Leases requested, by kind, client app and outcome.',
      labelNames: ['kind', 'client', 'outcome'],
      registers,
    }),
    leaseWaitSeconds: hotHistogram({
      name: 'broker_lease_wait_seconds',
      help: 'Time from the request for a lease to its outcome, whatever that is.',
      labelNames: ['kind', 'client'],
      buckets: WAITS,
      registers,
    }),
    leasesRefusedUpstream: new Counter({
      name: 'broker_lease_upstream_refusals_total',
      help: 'Times that Cartesia refused work with a lease because of its own concurrency limit; each lowers the limit for ten seconds.',
      labelNames: ['kind'],
      registers,
    }),
    budgetsBooked: hotCounter({
      name: 'broker_budget_booked_total',
      help: 'Amounts booked on budgets, by client app and unit.',
      labelNames: ['client', 'unit'],
      registers,
    }),
    budgetsReturned: hotCounter({
      name: 'broker_budget_returned_total',
      help: 'Amounts booked on budgets and given back because less was consumed, by client app and unit.',
      labelNames: ['client', 'unit'],
      registers,
    }),
    budgetsSpent: new Counter({
      name: 'broker_budget_refusals_total',
      help: 'Times a spent budget refused or ended something, by client app, unit and whose budget it was.',
      labelNames: ['client', 'unit', 'budget'],
      registers,
    }),
    shutOut: new Counter({
      name: 'broker_revocation_refusals_total',
      help: 'Callers refused because the operator has shut them out, by client app.',
      labelNames: ['client'],
      registers,
    }),
    sessionsCut: new Counter({
      name: 'broker_sessions_cut_total',
      help: 'Requests and sockets that the operator ended while they ran, by client app and reason.',
      labelNames: ['client', 'reason'],
      registers,
    }),
    storeSeconds: hotHistogram({
      name: 'broker_store_call_duration_seconds',
      help: 'Duration of calls to Redis that were made, by call.',
      labelNames: ['call'],
      buckets: STORE_CALLS,
      registers,
    }),
    storeFailures: new Counter({
      name: 'broker_store_failures_total',
      help: 'Calls to Redis that failed or were not made, by call and reason.',
      labelNames: ['call', 'reason'],
      registers,
    }),
    read: (readings) => createGauges(registry, readings),
  };
}

function createGauges(registry: Registry, readings: LimitReadings): void {
  const registers = [registry];
  new Gauge({
    name: 'broker_leases_held',
    help: 'Leases that this replica holds, by kind and client app.',
    labelNames: ['kind', 'client'],
    registers,
    collect() {
      for (const { kind, client, held } of readings.leases()) this.set({ kind, client }, held);
    },
  });
  new Gauge({
    name: 'broker_leases_waiting',
    help: 'Requests and contexts of this replica that wait for a lease, by kind and client app.',
    labelNames: ['kind', 'client'],
    registers,
    collect() {
      for (const { kind, client, waiting } of readings.leases()) this.set({ kind, client }, waiting);
    },
  });
  new Gauge({
    name: 'broker_lease_limit',
    help: 'Configured maximum of leases at a time for the whole account, by kind.',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const [kind, limit] of readings.limits()) this.set({ kind }, limit);
    },
  });
  new Gauge({
    name: 'broker_sessions_open',
    help: 'Requests and sockets that this replica carries.',
    registers,
    collect() {
      this.set(readings.openSessions());
    },
  });
  new Gauge({
    name: 'broker_revocations',
    help: 'Revocations in force, by scope.',
    labelNames: ['scope'],
    registers,
    collect() {
      this.reset();
      for (const scope of ['everything', 'client', 'subject', 'token']) this.set({ scope }, 0);
      for (const scope of readings.revocations()) this.inc({ scope });
    },
  });
  new Gauge({
    name: 'broker_budget_unsettled',
    help: 'Corrections of budgets that have not reached the store yet.',
    registers,
    collect() {
      this.set(readings.budgetsOwed());
    },
  });
  new Gauge({
    name: 'broker_store_up',
    help: '1 while the store answers, 0 while Redis cannot be reached. Always 1 without Redis.',
    registers,
    collect() {
      this.set(readings.isStoreUp() ? 1 : 0);
    },
  });
}
