// Reports what happens to the issuers' keys to the log and the metrics.
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { KeySetEvent } from './jwt/key-set.ts';

/** Fetches that end like the one before are logged at `debug`: an issuer that is away for a day gives one warning. */
export function observeKeySets(logger: Logger, metrics: Metrics): (event: KeySetEvent) => void {
  return (event) => {
    const { issuer, isNews } = event;
    if (event.event === 'key_set_loaded') {
      metrics.keySetFetches.inc({ outcome: 'loaded' });
      logger[isNews ? 'info' : 'debug']({ issuer, keys: event.keys }, 'key set loaded');
    } else {
      metrics.keySetFetches.inc({ outcome: 'failed' });
      logger[isNews ? 'warn' : 'debug']({ issuer, reason: event.reason }, event.areKeysKnown ? KEYS_STAY : NO_KEYS);
    }
  };
}

const KEYS_STAY = 'key set not loaded: keys known before stay in use';
const NO_KEYS = 'key set not loaded: no token of this issuer can be checked';
