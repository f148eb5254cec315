// Reports to log and metrics that clients are turned away because the connection limit is reached.
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** Milliseconds between two log lines: one per connection would let anyone who opens connections fill the log. */
const AGAIN_MS = 60_000;

export function observeConnections(logger: Logger, metrics: Metrics): (max: number) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (max) => {
    metrics.connectionsTurnedAway.inc();
    const now = performance.now();
    if (now - toldMs < AGAIN_MS) return;
    toldMs = now;
    logger.warn({ connections_max: max }, 'connection limit reached: further clients are turned away');
  };
}
