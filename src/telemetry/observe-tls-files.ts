// Reports to log and metrics what happens to certificate and CA files: renewed, unusable, usable again.
import type { PemWatchEvents } from '../config/watch-pem-files.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** Which connections the files are for. */
export type TlsFilesUse = 'listener' | 'upstream' | 'redis';

const WORDS: Readonly<Record<TlsFilesUse, { readonly what: string; readonly old: string }>> = {
  listener: { what: 'certificate', old: 'the old one stays in use' },
  upstream: { what: 'certificate authorities for Cartesia', old: 'the old ones stay in use' },
  redis: { what: 'TLS files for Redis', old: 'the old ones stay in use' },
};

export function observeTlsFiles(
  use: TlsFilesUse,
  logger: Logger,
  metrics: Pick<Metrics, 'tlsFilesUnusable'>,
): PemWatchEvents {
  const { what, old } = WORDS[use];
  const unusable = metrics.tlsFilesUnusable.labels({ use });
  return {
    onRenewed() {
      unusable.set(0);
      logger.info(`${what} renewed`);
    },
    onMended() {
      unusable.set(0);
      logger.info(`${what} can be used again`);
    },
    onFailed(wrong) {
      unusable.set(1);
      logger.error({ reason: wrong }, `${what} not renewed: ${old}`);
    },
  };
}
