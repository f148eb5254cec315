// Calls to Redis, told to the metrics.
import type { LimitMetrics } from '../telemetry/limit-metrics.ts';
import type { StoreObserver } from './store-call.ts';

export function observeStore(metrics: LimitMetrics): StoreObserver {
  return ({ call, outcome, durationMs }) => {
    const wasMade = outcome !== 'not_connected' && outcome !== 'left_alone';
    if (wasMade) metrics.storeSeconds.observe({ call }, durationMs / 1000);
    if (outcome !== 'ok') metrics.storeFailures.inc({ call, reason: outcome });
  };
}
