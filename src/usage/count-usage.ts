// Counts what was consumed in the metrics.
import type { Metrics } from '../telemetry/metrics.ts';
import type { Usage } from './units.ts';

/** Counts one carried request. */
export function countUsage(metrics: Metrics): (client: string, endpoint: string, usage: Usage) => void {
  return (client, endpoint, usage) => {
    metrics.usage.inc({ client, endpoint, unit: 'requests' });
    if (usage.characters > 0) metrics.usage.inc({ client, endpoint, unit: 'characters' }, usage.characters);
    if (usage.audioSeconds > 0) metrics.usage.inc({ client, endpoint, unit: 'audio_seconds' }, usage.audioSeconds);
    if (usage.audioBytes > 0) metrics.usage.inc({ client, endpoint, unit: 'audio_bytes' }, usage.audioBytes);
  };
}
