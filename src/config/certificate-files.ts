// Certificates, private keys and authorities, read from files.
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
  // An empty text, as a file has while it is being replaced, is no error to createSecureContext: it would serve without a certificate.
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
 * What a TLS context of ours is made with where we are the client.
 * @param authorities PEM texts, trusted beside those of Node; `null` = Node's alone
 */
export function trustOptions(authorities: readonly string[] | null): SecureContextOptions {
  const ca = authorities === null ? {} : { ca: [...getCACertificates('default'), ...authorities] };
  return { ...ca, minVersion: 'TLSv1.2' };
}

/** What a TLS context with this certificate is made with, the first time and when it is renewed. */
export function secureOptions({ cert, key }: Certificate): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}
