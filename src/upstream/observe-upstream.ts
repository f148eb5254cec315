// Reports events on the way to Cartesia to the log and the metrics.
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { UpstreamEvent } from './upstream-event.ts';

export function observeUpstream(logger: Logger, metrics: Metrics): (event: UpstreamEvent) => void {
  return (event) => {
    switch (event.type) {
      case 'attempt':
        metrics.upstreamSeconds.observe({ outcome: event.outcome }, event.durationMs / 1000);
        return;
      case 'retry':
        logger.info({ kind: event.kind, code: event.code }, 'upstream call made again: it had not been sent');
        return;
      case 'breaker':
        logger.warn({ state: event.state }, 'upstream circuit breaker');
        return;
      case 'shed':
        metrics.upstreamShed.inc({ reason: event.reason });
        return;
      case 'key_rejected':
        metrics.upstreamKeyRejected.inc();
        logger.error(
          { key_position: event.position, status: event.status, keys_working: event.keysWorking },
          'Cartesia refuses an API key: replace it',
        );
        return;
    }
  };
}
