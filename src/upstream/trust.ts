// Who is trusted to be Cartesia: the authorities that Node trusts, and those of the operator's file. A renewed file is picked up.
import tls, { type SecureContext } from 'node:tls';
import { loadAuthorities, trustOptions } from '../config/certificate-files.ts';
import { wrongCertificateAuthorities } from '../config/pem-files.ts';
import { type PemWatch, type PemWatching, watchPemFiles } from '../config/watch-pem-files.ts';

export interface Trust {
  /** For the connection that is made now. Another one only once it was renewed: making one takes a while, and 25 kB. */
  readonly context: SecureContext;
}

export interface RenewableTrust extends Trust {
  /** @throws where they cannot be used; those before stay. */
  renew(authorities: readonly string[]): void;
}

/** @param authorities PEM texts; `null` = those of Node alone */
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

/** Rejects where the file cannot be read, or not be used. A later one that cannot leaves in use what was. */
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
    whatIsWrong: () => wrongCertificateAuthorities(caFile) ?? 'the file cannot be used for TLS',
  });
  return Object.assign(trust, watch);
}

function contextOf(authorities: readonly string[] | null): SecureContext {
  return tls.createSecureContext(trustOptions(authorities));
}
