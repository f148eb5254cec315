// Reports to log and metrics what happens to secret files: renewed, unusable, usable again.
import type { SecretEvent } from '../config/watch-secrets.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export function observeSecrets(logger: Logger, metrics: Metrics): (event: SecretEvent) => void {
  return (event) => {
    const { setting, secret } = event.file;
    metrics.secretFileUnusable.set({ secret }, event.type === 'unusable' ? 1 : 0);
    switch (event.type) {
      case 'renewed':
        metrics.secretsRenewed.inc({ secret });
        logger.info({ setting }, 'secret renewed');
        return;
      case 'mended':
        logger.info({ setting }, 'the file of a secret can be used again');
        return;
      case 'unusable':
        logger.error({ setting, reason: event.wrong }, 'secret not renewed: the old one stays in use');
        return;
    }
  };
}
