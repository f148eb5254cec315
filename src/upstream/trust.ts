// The certificate authorities trusted for Cartesia: Node's own and those in the operator's file, which is reloaded when it changes.
import tls, { type SecureContext } from 'node:tls';
import { loadAuthorities, trustOptions } from '../config/certificate-files.ts';
import { wrongCertificates } from '../config/pem-files.ts';
import { type PemWatch, type PemWatching, watchPemFiles } from '../config/watch-pem-files.ts';

export interface Trust {
  /** For the next connection. Replaced only on renewal: making one is slow and takes 25 kB. */
  readonly context: SecureContext;
}

export interface RenewableTrust extends Trust {
  /** @throws if they cannot be used; the previous ones stay in use. */
  renew(authorities: readonly string[]): void;
}

/** @param authorities PEM texts; `null` = Node's authorities alone */
export function createTrust(authorities: readonly string[] | null): RenewableTrust {
  let context: SecureContext | null = null;
  return {
    get context() {
      context ??= contextOf(authorities);
      return context;
    },
    renew(next) {
      context = contextOf(next);
    },
  };
}

/** Rejects if the file cannot be read or used. If a later version cannot, the previous one stays in use. */
export async function openTrust(caFile: string | null, watching: PemWatching): Promise<Trust & PemWatch> {
  if (caFile === null) return Object.assign(createTrust(null), { look() {}, stop() {} });
  const inUse = await loadAuthorities(caFile);
  const trust = createTrust(inUse);
  const watch = watchPemFiles({
    ...watching,
    files: [caFile],
    load: () => loadAuthorities(caFile),
    inUse,
    use: (found) => trust.renew(found),
    whatIsWrong: () => wrongCertificates(caFile) ?? 'the file cannot be used for TLS',
  });
  return Object.assign(trust, watch);
}

function contextOf(authorities: readonly string[] | null): SecureContext {
  return tls.createSecureContext(trustOptions(authorities));
}
