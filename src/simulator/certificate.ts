// A self-signed certificate for localhost, made at every start.
//
// The usual packages for this cost 6 MB and 140 ms of start-up; all that is needed here is one fixed structure, encoded
// in DER, and a signature that node:crypto makes.

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** PEM of a certificate and its private key. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/**
 * X.509 v3, ECDSA P-256, for `localhost`, `127.0.0.1` and `::1`; may be trusted as a CA.
 * @param days default: a little more than a year, as a simulator that a team shares may run for months
 * @see RFC 5280 §4.1
 */
export function createCertificate(nowMs: number, days = 397): TlsIdentity {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const body = certificateBody(publicKey, nowMs - 3_600_000, nowMs + days * 86_400_000);
  const signature = sign('sha256', body, privateKey);
  const certificate = sequence(body, ECDSA_WITH_SHA256, bitString(signature));
  return { cert: pem(certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

function certificateBody(publicKey: KeyObject, notBefore: number, notAfter: number): Buffer {
  const name = sequence(set(sequence(oid(2, 5, 4, 3), der(0x0c, Buffer.from('Simulated Cartesia')))));
  // The first byte is 1, so that the serial number is positive.
  const serial = Buffer.concat([Buffer.from([0x01]), randomBytes(15)]);
  return sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(notBefore), time(notAfter)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions())),
  );
}

function extensions(): readonly Buffer[] {
  const names = sequence(
    der(0x82, Buffer.from('localhost')),
    der(0x87, Buffer.from([127, 0, 0, 1])),
    der(0x87, Buffer.from([...new Array<number>(15).fill(0), 1])),
  );
  // It signs itself, so it has to be a CA for clients that put it into their trust store.
  const basicConstraints = sequence(der(0x01, Buffer.from([0xff])));
  const serverAuth = sequence(oid(1, 3, 6, 1, 5, 5, 7, 3, 1));
  return [
    sequence(oid(2, 5, 29, 19), der(0x01, Buffer.from([0xff])), der(0x04, basicConstraints)),
    sequence(oid(2, 5, 29, 37), der(0x04, serverAuth)),
    sequence(oid(2, 5, 29, 17), der(0x04, names)),
  ];
}

/** Tag, length, value. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const value = Buffer.concat(content);
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), value]);
  if (length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, length]), value]);
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), value]);
}

function sequence(...items: readonly Buffer[]): Buffer {
  return der(0x30, ...items);
}

function set(...items: readonly Buffer[]): Buffer {
  return der(0x31, ...items);
}

function bitString(value: Buffer): Buffer {
  return der(0x03, Buffer.from([0]), value);
}

/** UTCTime, valid until 2049. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}

/** Object identifier: the first two arcs share a byte, the others are base 128. */
function oid(first: number, second: number, ...arcs: readonly number[]): Buffer {
  const bytes = arcs.flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let rest = arc >> 7; rest > 0; rest >>= 7) groups.unshift((rest & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const ECDSA_WITH_SHA256 = sequence(oid(1, 2, 840, 10045, 4, 3, 2));
