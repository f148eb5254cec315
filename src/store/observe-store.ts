// What happens on the way to Redis: calls told to the metrics, changes to the log.
import type { LimitMetrics } from '../telemetry/limit-metrics.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { StoreObservers } from './open-store.ts';
import type { RedisTlsOptions } from './redis/redis-tls.ts';

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
        logger.warn({ store: state, reason }, state === 'up' ? 'Redis is not wholly of use' : 'Redis is not reached');
    },
  };
}

/** What happens to the files for TLS to Redis, told to the log. */
export function observeRedisTls(logger: Logger): Pick<RedisTlsOptions, 'onRenewed' | 'onFailed'> {
  return {
    onRenewed: () => logger.info('TLS files for Redis renewed'),
    onFailed: (wrong) => logger.error({ reason: wrong }, 'TLS files for Redis not renewed: the old ones stay in use'),
  };
}
