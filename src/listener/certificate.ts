// The listener's TLS certificate, read from files and read again when they change.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Server } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { wrongPemPair } from '../config/pem-files.ts';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** PEM texts. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** @throws when a file cannot be read, or the two do not belong together */
export async function loadCertificate(files: CertificateFiles): Promise<Certificate> {
  const [cert, key] = await Promise.all([readFile(files.certFile, 'utf8'), readFile(files.keyFile, 'utf8')]);
  // An empty text, as a file has while it is being replaced, is no error to createSecureContext: it would serve without a certificate.
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Error('another key than the certificate');
  createSecureContext(secureOptions({ cert, key }));
  return { cert, key };
}

/** What a server is made with, and made with again when the certificate is renewed. */
export function secureOptions({ cert, key }: Certificate): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}

export interface CertificateWatch {
  stop(): void;
}

export interface WatchOptions {
  /** How often the files are looked at. */
  readonly everyMs: number;
  readonly onRenewed?: () => void;
  /** The new files are unreadable or do not match: told once for each thing that is wrong. The old certificate stays in use. */
  readonly onFailed?: (wrong: string) => void;
}

/**
 * Looks at the files' times rather than watching them: mounted secrets are swapped by symbolic links, which file watches miss.
 * Connections that are open keep their certificate; new ones get the new.
 * @param inUse what the server was made with
 */
export function watchCertificate(
  server: Server,
  files: CertificateFiles,
  inUse: Certificate,
  options: WatchOptions,
): CertificateWatch {
  const { everyMs, onRenewed, onFailed } = options;
  let seen = ''; // so that the first look also finds what was written since the server was made
  let current = inUse;
  let looking = false;
  let trouble: string | null = null;

  async function look(): Promise<void> {
    const stamps = await Promise.all([stat(files.certFile), stat(files.keyFile)]);
    const now = stamps.map((stamp) => `${stamp.ino}:${stamp.mtimeMs}:${stamp.size}`).join();
    if (seen === now) {
      trouble = null; // what was wrong is as it was before
      return;
    }
    const found = await loadCertificate(files);
    const isNew = found.cert !== current.cert || found.key !== current.key;
    if (isNew) server.setSecureContext(secureOptions(found));
    current = found;
    seen = now; // only after success: a pair that is half written is tried again
    trouble = null;
    if (isNew) onRenewed?.();
  }

  const tick = (): void => {
    if (looking) return;
    looking = true;
    look()
      .catch(() => {
        const wrong = whatIsWrongWith(files);
        if (wrong !== trouble) onFailed?.(wrong);
        trouble = wrong;
      })
      .finally(() => {
        looking = false;
      });
  };
  tick();
  const timer = setInterval(tick, everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** In words: an error of a parser may quote what it read. */
function whatIsWrongWith({ certFile, keyFile }: CertificateFiles): string {
  const wrong = wrongPemPair(certFile, keyFile).map((one) => one.wrong);
  return wrong.length === 0 ? 'the certificate and its key cannot be used for TLS' : wrong.join('; ');
}
