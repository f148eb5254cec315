// A real redis-server for a test: on its own free port, without persistence, stopped when the test ends.
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
  /** Port for TLS with client certificates; 0 without `tls`. */
  readonly tlsPort: number;
  /** Suspends the process. */
  freeze(): void;
  resume(): void;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts again on the same port, empty, by default with the same password; resolves when it accepts connections. */
  start(password?: string): Promise<void>;
}

export interface RedisServerOptions {
  /** Do not start it yet. */
  readonly isDown?: boolean;
  /** Password that clients have to give. */
  readonly password?: string;
  /** PEM files for a second port with TLS: its own certificate and the CA of its clients. Read at each start. */
  readonly tls?: CertificateFiles & { readonly caFile: string };
  /** Where it would write its snapshot. */
  readonly directory?: string;
  /** Makes it a cluster node without any slots yet. */
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
  let port = await freePort();
  let tlsPort = tls === undefined ? 0 : await freePort();
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
      directory, // a cluster node writes its state there
    ];
    // The default cluster port is 10,000 above the client port.
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
    await Promise.race([failed, answering(port, started)]);
  }
  async function kill(): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  t.teardown(kill);
  if (!isDown) {
    await start().catch(async () => {
      port = await freePort();
      tlsPort = tls === undefined ? 0 : await freePort();
      await start();
    });
  }
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

/** Resolves once it answers PING; rejects if it ends instead, as when another program has taken the port. */
async function answering(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const socket = connect(port, '127.0.0.1');
    const giveUp = (): unknown => socket.destroy(new Error('nobody to wait for'));
    child.once('exit', giveUp);
    try {
      await once(socket, 'connect');
      socket.write('PING\r\n');
      const [answer] = await once(socket, 'data');
      if (/^\+PONG|^-NOAUTH/.test(String(answer))) return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10)); // it is not up yet, and nothing signals when it is
    } finally {
      child.off('exit', giveUp);
      socket.destroy();
    }
  }
  throw new Error(`redis-server on port ${port} has ended`);
}
