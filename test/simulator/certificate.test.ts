import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { test } from 'tap';
import { createCertificate } from '../../src/simulator/certificate.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';

test('the certificate is a self-signed CA for the names of this machine', async (t) => {
  const now = Date.parse('2026-11-22T00:00:00Z');
  const { cert, key } = createCertificate(now, 30);
  const certificate = new X509Certificate(cert);
  t.equal(certificate.verify(certificate.publicKey), true, 'signed by itself');
  t.equal(certificate.ca, true);
  t.equal(certificate.checkHost('localhost'), 'localhost');
  t.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1');
  t.ok(certificate.checkIP('::1'));
  t.equal(certificate.checkHost('example.com'), undefined);
  t.strictSame(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'for servers');
  t.equal(certificate.validFromDate.toISOString(), '2026-11-21T23:00:00.000Z');
  t.equal(certificate.validToDate.toISOString(), '2026-12-22T00:00:00.000Z');
  t.match(key, /^-----BEGIN PRIVATE KEY-----/);
});

test('two certificates share neither key nor serial number', async (t) => {
  const [first, second] = [createCertificate(0), createCertificate(0)].map(({ cert }) => new X509Certificate(cert));
  t.not(first?.serialNumber, second?.serialNumber);
  t.not(first?.fingerprint256, second?.fingerprint256);
});

test('a simulator may run for a year on one certificate', async (t) => {
  const { validToDate } = new X509Certificate(createCertificate(Date.parse('2026-01-01T00:00:00Z')).cert);
  t.equal(validToDate.toISOString(), '2027-02-02T00:00:00.000Z');
});

test('a client that trusts the certificate can connect by name and by address; another cannot', async (t) => {
  const simulator = await startSimulator({ port: null });
  t.teardown(() => simulator.close());
  const { port } = new URL(simulator.tlsUrl);
  const status = (host: string, ca?: string) =>
    new Promise<number | string | undefined>((resolve) => {
      request({ host, port, path: '/', agent: false, ...(ca === undefined ? {} : { ca }) }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
        .end();
    });
  t.equal(await status('localhost', simulator.certificate), 200);
  t.equal(await status('127.0.0.1', simulator.certificate), 200);
  t.equal(await status('localhost'), 'DEPTH_ZERO_SELF_SIGNED_CERT');
});

test('a certificate may be supplied', async (t) => {
  const tls = createCertificate(Date.now());
  const simulator = await startSimulator({ port: null, tls });
  t.teardown(() => simulator.close());
  t.equal(simulator.certificate, tls.cert);
  t.equal(simulator.url, '', 'there is no plain listener');
});
