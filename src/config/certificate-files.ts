// Reads certificates, private keys and authorities from files.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, getCACertificates, type SecureContextOptions } from 'node:tls';
import type { CertificateFiles } from './config.ts';
import { certificatesIn, parseCertificates } from './pem-files.ts';

/** PEM texts. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** @throws when a file cannot be read, or the two do not belong together */
export async function loadCertificate(files: CertificateFiles): Promise<Certificate> {
  const [cert, key] = await Promise.all([readFile(files.certFile, 'utf8'), readFile(files.keyFile, 'utf8')]);
  // createSecureContext accepts an empty text, as in a file that is being replaced: it would serve without a certificate.
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Error('another key than the certificate');
  createSecureContext(secureOptions({ cert, key }));
  return { cert, key };
}

/**
 * @returns PEM texts, one for each
 * @throws when the file cannot be read, or holds no certificate, or one that cannot be read
 */
export async function loadAuthorities(file: string): Promise<readonly string[]> {
  const pem = await readFile(file, 'utf8');
  parseCertificates(pem);
  return certificatesIn(pem);
}

/**
 * Options for TLS contexts in which we are the client. The minimum version belongs here: Node ignores it on a connection that brings a context.
 * @param authorities PEM texts, trusted in addition to Node's; `null` = only Node's
 */
export function trustOptions(authorities: readonly string[] | null): SecureContextOptions {
  const ca = authorities === null ? {} : { ca: [...getCACertificates('default'), ...authorities] };
  return { ...ca, minVersion: 'TLSv1.2' };
}

/** Options for a TLS context with this certificate, the first one and renewed ones. */
export function secureOptions({ cert, key }: Certificate): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}
