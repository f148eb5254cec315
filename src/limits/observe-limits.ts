// Reports to the metrics what limits do: events as they come, and the current state whenever metrics are read.
import type { Store } from '../store/store.ts';
import type { LimitMetrics } from '../telemetry/limit-metrics.ts';
import type { LimitObserver } from './limit-event.ts';
import type { Limits } from './limits.ts';

export function observeLimits(metrics: LimitMetrics): LimitObserver {
  return (event) => {
    switch (event.type) {
      case 'lease': {
        const { kind, client, outcome, waitedMs } = event;
        metrics.leases.inc({ kind, client, outcome });
        metrics.leaseWaitSeconds.observe({ kind, client }, waitedMs / 1000);
        return;
      }
      case 'refused_upstream':
        metrics.leasesRefusedUpstream.inc({ kind: event.kind });
        return;
      case 'booked':
        metrics.budgetsBooked.inc({ client: event.client, unit: event.unit }, event.amount);
        return;
      case 'returned':
        metrics.budgetsReturned.inc({ client: event.client, unit: event.unit }, event.amount);
        return;
      case 'spent':
        metrics.budgetsSpent.inc({ client: event.client, unit: event.unit, budget: event.budget });
        return;
      case 'shut_out':
        metrics.shutOut.inc({ client: event.client });
        return;
      case 'cut':
        metrics.sessionsCut.inc({ client: event.client, reason: event.reason });
        return;
    }
  };
}

/** Reads only what this replica knows, without a call to the store. */
export function measureLimits(metrics: LimitMetrics, limits: Limits, store: Store): void {
  metrics.read({
    leases: () => limits.leases.load(),
    limits: () => limits.leases.limits,
    openSessions: () => limits.sessions.open,
    revocations: () => limits.revocations.list().map(({ scope }) => scope),
    budgetsOwed: () => limits.quotas.owed,
    isStoreUp: () => store.state === 'up',
  });
}
