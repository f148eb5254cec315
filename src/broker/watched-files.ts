// Keeps the files of secrets, certificates and authorities under watch while the broker runs.
import type { RenewableSecret, SecretFile } from '../config/config.ts';
import type { PemWatch, PemWatching } from '../config/watch-pem-files.ts';
import { type SecretsWatch, type SecretsWatchOptions, watchSecrets } from '../config/watch-secrets.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { observeSecrets } from '../telemetry/observe-secrets.ts';
import { observeTlsFiles, type TlsFilesUse } from '../telemetry/observe-tls-files.ts';
import type { Closing } from './closing.ts';

export interface WatchedFiles {
  /** How whoever opens PEM files watches them. */
  pemWatching(use: TlsFilesUse): PemWatching;
  /** Adds a watch that has just begun: it is asked to look with the others, and stopped with them. */
  add(watch: PemWatch): void;
  /** Begins to watch the secrets; once, after everything that they renew is there. */
  watchSecrets(files: readonly SecretFile[], renew: SecretsWatchOptions['renew']): void;
  /** Looks at one secret's files now. Until `watchSecrets` there is nothing to look at. */
  lookAtSecret(secret: RenewableSecret): void;
  /** Looks at all files now. */
  look(): void;
}

export interface WatchedFilesOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly closing: Closing;
  /** Milliseconds between two checks of the certificates and authorities. */
  readonly certificateCheckMs: number | undefined;
  /** Milliseconds between two checks of the secrets. */
  readonly secretsCheckMs: number | undefined;
}

/** Renewals are days apart, and a check costs one stat call per file. */
const CERTIFICATE_CHECK_MS = 10_000;
const SECRETS_CHECK_MS = 10_000;

export function createWatchedFiles(options: WatchedFilesOptions): WatchedFiles {
  const { logger, metrics, closing } = options;
  const { certificateCheckMs = CERTIFICATE_CHECK_MS, secretsCheckMs = SECRETS_CHECK_MS } = options;
  const watches: PemWatch[] = [];
  let secrets: SecretsWatch | null = null;

  return {
    pemWatching: (use) => ({ everyMs: certificateCheckMs, ...observeTlsFiles(use, logger, metrics) }),
    add(watch) {
      watches.push(watch);
      closing.add(() => watch.stop());
    },
    watchSecrets(files, renew) {
      const watch = watchSecrets(files, { everyMs: secretsCheckMs, renew, onEvent: observeSecrets(logger, metrics) });
      secrets = watch;
      closing.add(() => watch.stop());
    },
    lookAtSecret: (secret) => secrets?.look(secret),
    look() {
      secrets?.look();
      for (const watch of watches) watch.look();
    },
  };
}
