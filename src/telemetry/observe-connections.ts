// That clients are turned away because as many are connected as may be, told to the log and the metrics.
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** A line for each would be one more thing that whoever opens connections could fill. Milliseconds. */
const AGAIN_MS = 60_000;

export function observeConnections(logger: Logger, metrics: Metrics): (max: number) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (max) => {
    metrics.connectionsTurnedAway.inc();
    const now = performance.now();
    if (now - toldMs < AGAIN_MS) return;
    toldMs = now;
    logger.warn({ connections_max: max }, 'as many clients are connected as may be: more are turned away');
  };
}
