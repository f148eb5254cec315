// Reloads the listener's TLS certificate when its files change.
import type { Server } from 'node:https';
import { type Certificate, loadCertificate, secureOptions } from '../config/certificate-files.ts';
import type { CertificateFiles } from '../config/config.ts';
import { wrongPemPair } from '../config/pem-files.ts';
import { type PemWatch, type PemWatching, watchPemFiles } from '../config/watch-pem-files.ts';

/**
 * Open connections keep their certificate; new ones get the new one.
 * @param inUse what the server was created with
 */
export function watchCertificate(
  server: Server,
  files: CertificateFiles,
  inUse: Certificate,
  watching: PemWatching,
): PemWatch {
  return watchPemFiles({
    ...watching,
    files: [files.certFile, files.keyFile],
    load: () => loadCertificate(files),
    inUse,
    use: (found) => server.setSecureContext(secureOptions(found)),
    whatIsWrong: () => whatIsWrongWith(files),
  });
}

function whatIsWrongWith({ certFile, keyFile }: CertificateFiles): string {
  const wrong = wrongPemPair(certFile, keyFile).map((one) => one.wrong);
  return wrong.length === 0 ? 'the certificate and its key cannot be used for TLS' : wrong.join('; ');
}
