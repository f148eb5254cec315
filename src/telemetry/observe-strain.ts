// Reports to log and metrics that the process is overloaded, or no longer is.
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

const REASONS = ['memory', 'event_loop'] as const;

export function observeStrain(logger: Logger, metrics: Metrics): (strain: (typeof REASONS)[number] | null) => void {
  for (const reason of REASONS) metrics.overloaded.set({ reason }, 0);
  return (strain) => {
    for (const reason of REASONS) metrics.overloaded.set({ reason }, reason === strain ? 1 : 0);
    if (strain === null) logger.info('no longer overloaded');
    else logger.warn({ reason: strain }, 'overloaded');
  };
}
