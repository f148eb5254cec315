// The broker's own TLS listener: real handshakes, and certificates that are renewed while it runs.
import { once } from 'node:events';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { Cartesia } from '@cartesia/cartesia-js';
import { type Test, test } from 'tap';
import { Agent, fetch as undiciFetch } from 'undici';
import { createCertificate } from '../../src/simulator/certificate.ts';
import { mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';
import { type RunningBroker, startRunningBroker } from './running-broker.ts';
import { logged } from './socket-broker.ts';

/** Rejects if the handshake fails. */
async function shakeHands(t: Test, { broker }: RunningBroker, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: Number(new URL(broker.url).port),
    servername: 'localhost',
    ...options,
  });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.on('error', () => {}); // with TLS 1.3 a refusal may come after the client's side of the handshake
  return socket;
}

async function fingerprint(t: Test, running: RunningBroker): Promise<string> {
  const socket = await shakeHands(t, running, { rejectUnauthorized: false });
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

const says =
  (msg: string, reason?: RegExp) =>
  (line: Readonly<Record<string, unknown>>): boolean =>
    line['msg'] === msg && (reason === undefined || reason.test(String(line['reason'])));

test('the official SDK mints over TLS', async (t) => {
  const { broker, certificate, appKey } = await startRunningBroker(t, { tls: true, env: { REQUIRE_HTTPS: 'true' } });
  t.match(broker.url, /^https:/);
  const dispatcher = new Agent({ connect: { ca: certificate?.pem ?? '' } });
  t.teardown(() => dispatcher.close());
  const sdk = new Cartesia({
    apiKey: appKey,
    baseURL: broker.url.replace('127.0.0.1', 'localhost'),
    maxRetries: 0,
    fetch: ((url: string, init: object) => undiciFetch(url, { ...init, dispatcher })) as unknown as typeof fetch,
  });
  const { token } = await sdk.accessToken.create({ grants: { tts: true }, expires_in: 60 });
  t.ok(token.length > 20);
});

test('hostile bytes inside TLS get the same answers', async (t) => {
  const running = await startRunningBroker(t, { tls: true });
  const { broker, appKey: credential, simulator } = running;
  for (const bytes of [
    mintBytes({ credential, fields: ['X-A : b'] }),
    mintBytes({ credential, fields: ['Host: b'] }),
  ]) {
    const connection = await openRaw(t, broker.url, await shakeHands(t, running, { rejectUnauthorized: false }));
    connection.send(bytes + mintBytes({ credential }));
    const response = await connection.response();
    isProblem(t, response, 'invalid_request');
    t.equal(response.headers['connection'], 'close');
    t.ok((await connection.ended()) < 1000);
    t.equal(connection.rest(), '');
  }
  t.strictSame(simulator.journal.entries(), []);
});

test('TLS 1.2 and 1.3 with HTTP/1 are accepted, and nothing else', async (t) => {
  const running = await startRunningBroker(t, { tls: true });
  const any: ConnectionOptions = { rejectUnauthorized: false };
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = await shakeHands(t, running, { ...any, minVersion: version, maxVersion: version });
    t.equal(socket.getProtocol(), version);
  }
  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    const old = { ...any, minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
    await t.rejects(shakeHands(t, running, old), version);
  }
  const both = await shakeHands(t, running, { ...any, ALPNProtocols: ['h2', 'http/1.1'] });
  t.equal(both.alpnProtocol, 'http/1.1');
  const oldest = await shakeHands(t, running, { ...any, ALPNProtocols: ['http/1.0'] });
  t.equal(oldest.alpnProtocol, 'http/1.0', 'a client of HTTP/1.0 that says so');
  await t.rejects(shakeHands(t, running, { ...any, ALPNProtocols: ['h2'] }), 'HTTP/2 alone');
});

test('plain HTTP or nonsense on the TLS port: the connection ends, the broker survives', async (t) => {
  const running = await startRunningBroker(t, { tls: true });
  const { broker, appKey: credential, simulator } = running;
  for (const bytes of [mintBytes({ credential }), '\0'.repeat(500), '\x16\x03\x01\xff\xff']) {
    const connection = await openRaw(t, broker.url);
    connection.send(bytes);
    connection.socket.end();
    await connection.ended();
    t.notMatch(connection.rest(), 'HTTP/1.1 200');
  }
  t.strictSame(simulator.journal.entries(), []);
  const connection = await openRaw(t, broker.url, await shakeHands(t, running, { rejectUnauthorized: false }));
  connection.send(mintBytes({ credential }));
  t.equal((await connection.response()).status, 200);
});

test('a renewed certificate is served without a restart, and open connections go on', async (t) => {
  const running = await startRunningBroker(t, { tls: true, seams: { certificateCheckMs: 10 } });
  const { certificate, broker, appKey: credential } = running;
  if (certificate === null) throw new Error('started with TLS');
  const open = await openRaw(t, broker.url, await shakeHands(t, running, { rejectUnauthorized: false }));
  const before = await fingerprint(t, running);

  const renewed = createCertificate(Date.now());
  await writeFile(`${certificate.certFile}.new`, renewed.cert);
  await writeFile(`${certificate.keyFile}.new`, renewed.key);
  await rename(`${certificate.certFile}.new`, certificate.certFile);
  await rename(`${certificate.keyFile}.new`, certificate.keyFile);
  await logged(running, says('certificate renewed'));
  t.not(await fingerprint(t, running), before);
  await shakeHands(t, running, { ca: renewed.cert });
  const old = {
    rejectUnauthorized: false,
    minVersion: 'TLSv1.1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  };
  await t.rejects(shakeHands(t, running, old as ConnectionOptions), 'the new context is as strict as the first');

  open.send(mintBytes({ credential }));
  t.equal((await open.response()).status, 200);
});

test('a certificate and key swapped by a symbolic link, as Kubernetes does it, are picked up', async (t) => {
  const directory = t.testdir({});
  const put = async (version: string): Promise<string> => {
    const { cert, key } = createCertificate(Date.now());
    await mkdir(join(directory, version));
    await writeFile(join(directory, version, 'tls.crt'), cert);
    await writeFile(join(directory, version, 'tls.key'), key);
    await symlink(version, join(directory, '..data.new'));
    await rename(join(directory, '..data.new'), join(directory, '..data'));
    return cert;
  };
  await put('..v1');
  await symlink('..data/tls.crt', join(directory, 'tls.crt'));
  await symlink('..data/tls.key', join(directory, 'tls.key'));
  const running = await startRunningBroker(t, {
    env: { TLS_CERT_FILE: join(directory, 'tls.crt'), TLS_KEY_FILE: join(directory, 'tls.key') },
    seams: { certificateCheckMs: 10 },
  });
  const before = await fingerprint(t, running);
  const ca = await put('..v2');
  await logged(running, says('certificate renewed'));
  t.not(await fingerprint(t, running), before);
  await shakeHands(t, running, { ca });
});

test('a broken renewal keeps the old certificate, is reported, and is mended by the next one', async (t) => {
  const running = await startRunningBroker(t, { tls: true, seams: { certificateCheckMs: 10 } });
  const { certificate, logs, watch } = running;
  if (certificate === null) throw new Error('started with TLS');
  const before = await fingerprint(t, running);
  const FAILED = 'certificate not renewed: the old one stays in use';
  const other = createCertificate(Date.now());
  watch.add({ name: 'private key', value: other.key.split('\n')[1] ?? '' });

  await writeFile(certificate.keyFile, other.key);
  t.match(await logged(running, says(FAILED, /key\S* does not belong to the certificate$/)), { level: 'error' });
  t.equal(await fingerprint(t, running), before);
  await new Promise((resolve) => setTimeout(resolve, 100)); // ten more checks
  t.equal(logs.filter(says(FAILED, /does not belong/)).length, 1, 'reported once');

  for (const [file, text, reason] of [
    [certificate.certFile, 'no certificate', /^expected a certificate in PEM format in \S+$/],
    [
      certificate.keyFile,
      '',
      /^expected a certificate in PEM format in \S+; expected a private key without passphrase/,
    ],
  ] as const) {
    await writeFile(file, text);
    await logged(running, says(FAILED, reason));
    t.equal(await fingerprint(t, running), before, `"${text}"`);
  }

  await rename(certificate.certFile, `${certificate.certFile}.away`);
  await logged(running, says(FAILED, /^cannot read \S+: there is no such file/));
  t.equal(await fingerprint(t, running), before);

  await writeFile(certificate.keyFile, other.key);
  await writeFile(certificate.certFile, other.cert);
  await logged(running, says('certificate renewed'));
  t.not(await fingerprint(t, running), before);
});
