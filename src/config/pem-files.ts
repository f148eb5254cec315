// Checks whether certificates and keys can be used, before anything listens.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { fileTrouble, shownPath } from './secret-file.ts';

export interface WrongPem {
  readonly member: 'cert' | 'key';
  readonly wrong: string;
}

/** What is wrong with a certificate chain and its private key (both PEM files), without quoting their content. */
export function wrongPemPair(certFile: string, keyFile: string): readonly WrongPem[] {
  const certificate = readCertificates(certFile);
  const key = readPrivateKey(keyFile);
  const wrong: WrongPem[] = [];
  if ('wrong' in certificate) wrong.push({ member: 'cert', wrong: certificate.wrong });
  if ('wrong' in key) wrong.push({ member: 'key', wrong: key.wrong });
  if ('wrong' in certificate || 'wrong' in key) return wrong;
  if (!certificate.value.checkPrivateKey(key.value))
    return [{ member: 'key', wrong: `${shownPath(keyFile)} does not belong to the certificate` }];
  const code = refusalOfTls(certificate.pem, key.pem);
  return code === undefined
    ? []
    : [{ member: 'cert', wrong: `${shownPath(certFile)} cannot be used for TLS: ${code}` }];
}

/** What is wrong with a PEM file of certificates; `undefined` when every one in it can be read. */
export function wrongCertificates(file: string): string | undefined {
  const read = readCertificates(file);
  return 'wrong' in read ? read.wrong : undefined;
}

/** What is wrong with the PEM file of a private key; `undefined` when it can be read. */
export function wrongPrivateKey(file: string): string | undefined {
  const read = readPrivateKey(file);
  return 'wrong' in read ? read.wrong : undefined;
}

/**
 * The first certificate. The others are parsed too: TLS would silently leave out authorities after one that it cannot read.
 * @throws if there is none, or one that cannot be read
 */
export function parseCertificates(pem: string): X509Certificate {
  const [first] = certificatesIn(pem).map((one) => new X509Certificate(one));
  if (first === undefined) throw new TypeError('no certificate');
  return first;
}

/** Splits certificates: OpenSSL ignores all of a text in which one begins on the line where another ends, as in concatenated files. */
export function certificatesIn(pem: string): readonly string[] {
  return pem.split(/(?=-----BEGIN )/).filter((block) => /^-----BEGIN (?:X509 )?CERTIFICATE-----/.test(block));
}

/** Why OpenSSL refuses the pair, as the code of its error, such as `ERR_SSL_EE_KEY_TOO_SMALL`. */
function refusalOfTls(cert: string, key: string): string | undefined {
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'OpenSSL refuses it';
  }
}

type PemRead<T> = { readonly value: T; readonly pem: string } | { readonly wrong: string };

function readCertificates(file: string): PemRead<X509Certificate> {
  return readPem(file, parseCertificates, 'a certificate');
}

function readPrivateKey(file: string): PemRead<KeyObject> {
  return readPem(file, (pem) => createPrivateKey(pem), 'a private key without passphrase');
}

function readPem<T>(file: string, parse: (pem: string) => T, what: string): PemRead<T> {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    return { wrong: `cannot read ${shownPath(file)}: ${fileTrouble(error)}` };
  }
  try {
    return { value: parse(pem), pem };
  } catch {
    return { wrong: `expected ${what} in PEM format in ${shownPath(file)}` };
  }
}
