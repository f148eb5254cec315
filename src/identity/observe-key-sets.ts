// What happens to the issuers' keys, told to the log and the metrics.
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { KeySetEvent } from './jwt/key-set.ts';

export function observeKeySets(logger: Logger, metrics: Metrics): (event: KeySetEvent) => void {
  return (event) => {
    if (event.event === 'key_set_loaded') {
      metrics.keySetFetches.inc({ outcome: 'loaded' });
      logger.debug({ issuer: event.issuer, keys: event.keys }, 'key set loaded');
    } else {
      metrics.keySetFetches.inc({ outcome: 'failed' });
      logger.warn({ issuer: event.issuer, reason: event.reason }, 'key set not loaded: keys known before stay in use');
    }
  };
}
