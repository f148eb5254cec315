// Whether certificates and keys can be used, before anything listens.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileTrouble, shownPath } from './secret-file.ts';

export interface WrongPem {
  readonly member: 'cert' | 'key';
  readonly wrong: string;
}

/** What is wrong with a certificate chain and its private key (both PEM files); nothing of their content is said. */
export function wrongPemPair(certFile: string, keyFile: string): readonly WrongPem[] {
  const certificate = readPem(certFile, (pem) => new X509Certificate(pem), 'a certificate');
  const key = readPem(keyFile, (pem) => createPrivateKey(pem), 'a private key without passphrase');
  const wrong: WrongPem[] = [];
  if ('wrong' in certificate) wrong.push({ member: 'cert', wrong: certificate.wrong });
  if ('wrong' in key) wrong.push({ member: 'key', wrong: key.wrong });
  if ('value' in certificate && 'value' in key && !certificate.value.checkPrivateKey(key.value)) {
    wrong.push({ member: 'key', wrong: `${shownPath(keyFile)} does not belong to the certificate` });
  }
  return wrong;
}

/** What is wrong with a PEM file of certificate authorities; `undefined` when its first certificate can be read. */
export function wrongCertificateAuthorities(file: string): string | undefined {
  const read = readPem(file, (pem) => new X509Certificate(pem), 'a certificate');
  return 'wrong' in read ? read.wrong : undefined;
}

function readPem<T>(
  file: string,
  parse: (pem: Buffer) => T,
  what: string,
): { readonly value: T } | { readonly wrong: string } {
  let pem: Buffer;
  try {
    pem = readFileSync(file);
  } catch (error) {
    return { wrong: `cannot read ${shownPath(file)}: ${fileTrouble(error)}` };
  }
  try {
    return { value: parse(pem) };
  } catch {
    return { wrong: `expected ${what} in PEM form in ${shownPath(file)}` };
  }
}
