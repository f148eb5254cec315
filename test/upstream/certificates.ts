// Creates certificates for tests at run time: an authority, certificates it signs and self-signed ones.
import { generate } from 'selfsigned';

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

export interface CertificateOptions {
  /** DNS name or IP address that the certificate is for. */
  readonly host: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface Authority {
  /** PEM to trust. */
  readonly cert: string;
  issue(options: CertificateOptions): Promise<Identity>;
}

const DAY_MS = 86_400_000;

export async function createAuthority(name = 'test authority'): Promise<Authority> {
  const authority = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    cert: authority.cert,
    issue: (options) => createCertificate(options, { key: authority.private, cert: authority.cert }),
  };
}

/** @param ca the signer; without it the certificate signs itself */
export async function createCertificate(
  { host, notBefore = new Date(Date.now() - DAY_MS), notAfter = new Date(Date.now() + DAY_MS) }: CertificateOptions,
  ca?: Identity,
): Promise<Identity> {
  const isAddress = /^[0-9.]+$/.test(host);
  const { private: key, cert } = await generate([{ name: 'commonName', value: host }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: notBefore,
    notAfterDate: notAfter,
    extensions: [{ name: 'subjectAltName', altNames: [isAddress ? { type: 7, ip: host } : { type: 2, value: host }] }],
    ...(ca === undefined ? {} : { ca }),
  });
  return { key, cert };
}
