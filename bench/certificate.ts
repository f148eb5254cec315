// A self-signed certificate for `localhost`, made for one run and used on both legs.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createCertificate } from '../src/simulator/certificate.ts';
import { SCRATCH } from './places.ts';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Certificate and key in one file, as HAProxy requires. */
  readonly bothFile: string;
}

export function writeCertificate(): Certificate {
  const { cert, key } = createCertificate(Date.now());
  const certificate = {
    certFile: path.join(SCRATCH, 'cert.pem'),
    keyFile: path.join(SCRATCH, 'key.pem'),
    bothFile: path.join(SCRATCH, 'both.pem'),
  };
  writeFileSync(certificate.certFile, cert);
  writeFileSync(certificate.keyFile, key, { mode: 0o600 });
  writeFileSync(certificate.bothFile, `${cert}\n${key}`, { mode: 0o600 });
  return certificate;
}
