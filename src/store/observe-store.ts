// Reports calls to Redis to the metrics, and changes of its condition to the log.
import type { LimitMetrics } from '../telemetry/limit-metrics.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { StoreObservers } from './open-store.ts';

export function observeStore(logger: Logger, metrics: LimitMetrics): StoreObservers {
  return {
    onCall({ call, outcome, durationMs }) {
      const wasMade = outcome !== 'not_connected' && outcome !== 'left_alone';
      if (wasMade) metrics.storeSeconds.observe({ call }, durationMs / 1000);
      if (outcome !== 'ok') metrics.storeFailures.inc({ call, reason: outcome });
    },
    onCondition({ state, reason }) {
      if (reason === null) logger.info({ store: state }, 'Redis is reached');
      else
        logger.warn({ store: state, reason }, state === 'up' ? 'Redis is only partly usable' : 'Redis is not reached');
    },
  };
}
