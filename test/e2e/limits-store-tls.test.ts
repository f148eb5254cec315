// A broker process and a Redis behind TLS whose certificate is not trusted, or whose handshake is never answered.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { type Test, test } from 'tap';
import { createCertificate, type TlsIdentity } from '../../src/simulator/certificate.ts';
import { LEAST } from '../config/loading.ts';
import { redisServer } from '../store/redis-server.ts';
import { send } from './carried-broker.ts';
import { until } from './limits-answers.ts';
import { serveProcess } from './serve-process.ts';

interface TlsFront {
  readonly port: number;
  /** Cuts off all connections. Later ones get this certificate, or no answer if it is `null`. */
  use(identity: TlsIdentity | null): void;
}

async function tlsFront(t: Test, port: number, first: TlsIdentity): Promise<TlsFront> {
  const open = new Set<Socket>();
  let isSilent = false;
  const server = createServer(first, (inner) => {
    const outer = connect(port, '127.0.0.1');
    inner.pipe(outer).pipe(inner);
    inner.on('error', () => {}).on('close', () => outer.destroy());
    outer.on('error', () => {}).on('close', () => inner.destroy());
  });
  const [handshake] = server.listeners('connection') as ((socket: Socket) => void)[]; // a TLS server has one
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    if (!isSilent) handshake?.call(server, socket);
  });
  server.on('tlsClientError', () => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  t.teardown(() => {
    cut();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port, // a TCP server has one
    use(identity) {
      isSilent = identity === null;
      if (identity !== null) server.setSecureContext(identity);
      cut();
    },
  };
}

test('a Redis whose certificate is untrusted or whose handshake stalls is left, reported, and found again', async (t) => {
  const now = Date.now();
  const [good, stranger] = [createCertificate(now), createCertificate(now)];
  const password = `p/?#@${randomBytes(12).toString('hex')}`;
  const redis = await redisServer(t, { password });
  const front = await tlsFront(t, redis.port, good);
  const trusted = t.testdir({ 'trusted.pem': good.cert });
  const broker = serveProcess(t, {
    env: {
      ...LEAST,
      REDIS_URL: `rediss://:${encodeURIComponent(password)}@localhost:${front.port}`,
      NODE_EXTRA_CA_CERTS: join(trusted, 'trusted.pem'),
      PORT: '0',
      MANAGEMENT_PORT: '0',
    },
  });
  const { managementUrl } = await broker.listening;
  const store = async (): Promise<unknown> => {
    const { body } = await send(`${managementUrl}/readyz`);
    return (JSON.parse(body.toString()) as { store: unknown }).store;
  };
  const reasons = (): readonly unknown[] => broker.logs().map(({ reason }) => reason);
  await until(async () => (await store()) === 'up');
  for (const [identity, reason] of [
    [stranger, /^(?:CERT_SIGNATURE_FAILURE|DEPTH_ZERO_SELF_SIGNED_CERT)$/],
    [null, /^ETIMEDOUT$/],
  ] as const) {
    front.use(identity);
    await until(() => reasons().some((one) => reason.test(String(one))));
    t.equal(await store(), 'away', String(reason));
    front.use(good);
    const sinceMs = performance.now();
    await until(async () => (await store()) === 'up');
    t.ok(
      performance.now() - sinceMs < 2_000,
      `${reason}: found again after ${Math.round(performance.now() - sinceMs)} ms`,
    );
  }
  for (const secret of [password, encodeURIComponent(password)])
    t.notOk((broker.stdout() + broker.stderr()).includes(secret), 'the password appears nowhere');
  t.equal(broker.child.exitCode, null);
});
