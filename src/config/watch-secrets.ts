// Rereads secrets' files and renews what has changed.
import type { RenewableSecret, SecretFile } from './config.ts';
import type { Secret } from './secret.ts';
import { isReadOnce } from './secret-file.ts';
import { readSecrets } from './secret-files.ts';

export type SecretEvent =
  /** `mended`: the file can be used again, and holds what is in use. */
  | { readonly type: 'renewed' | 'mended'; readonly file: SecretFile }
  /** Reported once for each thing that is wrong; `wrong` quotes nothing of the file. */
  | { readonly type: 'unusable'; readonly file: SecretFile; readonly wrong: string };

export interface SecretsWatchOptions {
  /** How often the files are read. Milliseconds. */
  readonly everyMs: number;
  /** Called with the secrets to use from now on, at least one. Work that has begun with the old ones may end with them. */
  readonly renew: Readonly<Record<RenewableSecret, (secrets: readonly Secret[]) => void>>;
  readonly onEvent: (event: SecretEvent) => void;
}

export interface SecretsWatch {
  /** Reads all files now, or those of one secret. */
  look(only?: RenewableSecret): void;
  stop(): void;
}

/**
 * A file that cannot be used changes nothing. The files are read rather than watched: mounted secrets are swapped by symbolic links,
 * which file watches miss, and reading a few cached lines costs less than checking whether they have changed.
 */
export function watchSecrets(files: readonly SecretFile[], options: SecretsWatchOptions): SecretsWatch {
  const readers = files.map((file) => ({ secret: file.secret, read: readerOf(file, options) }));
  const look = (only?: RenewableSecret): void => {
    for (const { secret, read } of readers) if (only === undefined || only === secret) read();
  };
  look(); // also takes up what was written since the configuration was loaded
  const timer = setInterval(() => look(), options.everyMs);
  timer.unref();
  return { look, stop: () => clearInterval(timer) };
}

function readerOf(file: SecretFile, { renew, onEvent }: SecretsWatchOptions): () => void {
  let inUse: readonly Secret[] | null = null;
  let trouble: string | null = null;

  return () => {
    if (isReadOnce(file.path)) return;
    const found = readSecrets(file);
    if ('wrong' in found) {
      if (found.wrong !== trouble) onEvent({ type: 'unusable', file, wrong: found.wrong });
      trouble = found.wrong;
      return;
    }
    const isNew = inUse === null || !isSame(found.secrets, inUse);
    if (isNew) renew[file.secret](found.secrets);
    if (isNew && inUse !== null) onEvent({ type: 'renewed', file });
    else if (trouble !== null) onEvent({ type: 'mended', file });
    inUse = found.secrets;
    trouble = null;
  };
}

function isSame(these: readonly Secret[], those: readonly Secret[]): boolean {
  return these.length === those.length && these.every((secret, at) => secret.reveal() === those[at]?.reveal());
}
