// A real redis-server for a test: on a free port of its own, nothing on disk, ended with the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import type { Test } from 'tap';
import type { CertificateFiles } from '../../src/config/config.ts';
import { Secret } from '../../src/config/secret.ts';

export interface RedisServer {
  readonly url: Secret;
  readonly port: number;
  /** Where it speaks TLS and wants a certificate; 0 without `tls`. */
  readonly tlsPort: number;
  /** Stops the world for it. */
  freeze(): void;
  resume(): void;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Again on the same port, empty, by default with the same password; resolves when it takes connections. */
  start(password?: string): Promise<void>;
}

export interface RedisServerOptions {
  /** Not started yet. */
  readonly isDown?: boolean;
  /** What clients have to say. */
  readonly password?: string;
  /** PEM files, for TLS on a port beside the other: its own, and the authorities of its clients. Read at each start. */
  readonly tls?: CertificateFiles & { readonly caFile: string };
  /** Where it would write what it holds down. */
  readonly directory?: string;
  /** A node of a cluster that has no slots yet. */
  readonly isCluster?: boolean;
}

export async function redisServer(
  t: Test,
  {
    isDown = false,
    password,
    tls,
    isCluster = false,
    directory = isCluster ? t.testdir() : tmpdir(),
  }: RedisServerOptions = {},
): Promise<RedisServer> {
  const port = await freePort();
  const tlsPort = tls === undefined ? 0 : await freePort();
  let child: ChildProcess | null = null;

  async function start(asked = password): Promise<void> {
    const settings = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      directory, // a cluster's node writes down what it knows
    ];
    // Its second port is 10,000 above the first one unless told.
    if (isCluster) {
      const clusterPort = String(await freePort());
      settings.push(
        '--cluster-enabled',
        'yes',
        '--cluster-config-file',
        `nodes-${port}.conf`,
        '--cluster-port',
        clusterPort,
      );
    }
    if (tls !== undefined) {
      settings.push('--tls-port', String(tlsPort), '--tls-auth-clients', 'yes', '--tls-ca-cert-file', tls.caFile);
      settings.push('--tls-cert-file', tls.certFile, '--tls-key-file', tls.keyFile);
    }
    if (asked !== undefined) settings.push('--requirepass', asked);
    const started = spawn('redis-server', settings, { stdio: 'ignore' });
    child = started;
    const failed = once(started, 'error').then(([error]) => {
      throw new Error('redis-server is needed: apt-get install redis-server', { cause: error });
    });
    await Promise.race([failed, answering(port)]);
  }
  async function kill(): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  t.teardown(kill);
  if (!isDown) await start();
  return {
    url: new Secret(`redis://${password === undefined ? '' : `:${encodeURIComponent(password)}@`}127.0.0.1:${port}`),
    port,
    tlsPort,
    freeze: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    kill,
    start,
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('a TCP listener has a port');
  return address.port;
}

/** Resolves when it answers PING. */
async function answering(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      socket.write('PING\r\n');
      const [answer] = await once(socket, 'data');
      if (/^\+PONG|^-NOAUTH/.test(String(answer))) return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10)); // it is not there yet, and nobody tells when it is
    } finally {
      socket.destroy();
    }
  }
}
