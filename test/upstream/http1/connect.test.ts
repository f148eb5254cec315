// Opening a connection: to whom, with what is said, and for how long it is tried.
import { once } from 'node:events';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import tls, { type TLSSocket, type TlsOptions } from 'node:tls';
import { type Test, test } from 'tap';
import { connectTo, originOf } from '../../../src/upstream/http1/connect.ts';
import { createTrust, type Trust } from '../../../src/upstream/trust.ts';
import { createAuthority, createCertificate } from '../certificates.ts';

const onread = { buffer: Buffer.alloc(1024), callback: () => true };

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

interface Attempt {
  readonly socket: Socket;
  /** How it ended: `ready`, or the code of what went wrong. */
  readonly outcome: Promise<string>;
}

interface Options {
  readonly trust?: Trust;
  readonly timeoutMs?: number;
}

function attempt(t: Test, baseUrl: string, options: Options = {}): Attempt {
  const { trust = createTrust(null), timeoutMs = 5_000 } = options;
  const origin = originOf(baseUrl);
  const secureContext = origin.isSecure ? trust.context : undefined;
  const { promise: outcome, resolve } = Promise.withResolvers<string>();
  const socket = connectTo({ origin, secureContext, timeoutMs, onread }, () => resolve('ready'));
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  t.teardown(() => socket.destroy());
  return { socket, outcome };
}

test('where Cartesia is, as its URL says it', (t) => {
  for (const [url, isSecure, host, port, authority] of [
    ['https://api.cartesia.ai', true, 'api.cartesia.ai', 443, 'api.cartesia.ai'],
    ['https://api.cartesia.ai:443/', true, 'api.cartesia.ai', 443, 'api.cartesia.ai'],
    ['https://api.cartesia.ai:8443', true, 'api.cartesia.ai', 8443, 'api.cartesia.ai:8443'],
    ['http://127.0.0.1', false, '127.0.0.1', 80, '127.0.0.1'],
    ['http://localhost:8080', false, 'localhost', 8080, 'localhost:8080'],
    ['http://[::1]', false, '::1', 80, '[::1]'],
    ['https://[2001:db8::1]:444', true, '2001:db8::1', 444, '[2001:db8::1]:444'],
  ] as const)
    t.strictSame(originOf(url), { isSecure, host, port, authority }, url);
  t.end();
});

test('a name is said in the handshake, an address never, and HTTP/1.1 is what will be spoken', async (t) => {
  const authority = await createAuthority();
  const trust = createTrust([authority.cert]);
  for (const [host, name] of [
    ['localhost', 'localhost'],
    ['127.0.0.1', false],
  ] as const) {
    const server = tls.createServer({ ...(await authority.issue({ host })), ALPNProtocols: ['h2', 'http/1.1'] });
    const port = await listen(t, server);
    const connected = once(server, 'secureConnection') as Promise<[TLSSocket & { readonly servername: unknown }]>;
    t.equal(await attempt(t, `https://${host}:${port}`, { trust }).outcome, 'ready');
    const [{ servername, alpnProtocol }] = await connected;
    t.strictSame([servername, alpnProtocol], [name, 'http/1.1'], host);
  }
});

test('neither the environment nor what is usual in the process gets around the certificate or brings old TLS back', async (t) => {
  const authority = await createAuthority();
  const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  const { DEFAULT_MIN_VERSION: version, DEFAULT_CIPHERS: ciphers } = tls;
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  Object.assign(tls, { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT@SECLEVEL=0' }); // as flags of Node can
  t.teardown(() => {
    Object.assign(tls, { DEFAULT_MIN_VERSION: version, DEFAULT_CIPHERS: ciphers });
    if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
  });
  const own = await createCertificate({ host: 'localhost' });
  const other = await authority.issue({ host: 'other.test' });
  const good = await authority.issue({ host: 'localhost' });
  const old: TlsOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
  const trusts: readonly Trust[] = [createTrust(null), createTrust([authority.cert])];
  for (const trust of trusts)
    for (const options of [own, other, { ...good, ...old }]) {
      const server = tls.createServer(options).on('tlsClientError', () => {});
      const port = await listen(t, server);
      t.not(await attempt(t, `https://localhost:${port}`, { trust }).outcome, 'ready');
    }
});

test('what does not connect in time is given up, and nothing of it is left', async (t) => {
  const mute = createTcpServer((socket) => void socket.on('error', () => {}));
  const port = await listen(t, mute);
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const late = attempt(t, `https://127.0.0.1:${port}`, { timeoutMs: 50 });
  t.equal(await late.outcome, '50 ms');
  t.ok(late.socket.destroyed);
  const before = timers();
  const left = attempt(t, `https://127.0.0.1:${port}`, { timeoutMs: 60_000 });
  await once(mute, 'connection');
  t.equal(timers(), before + 1);
  left.socket.destroy();
  await once(left.socket, 'close');
  const ready = attempt(t, `http://127.0.0.1:${port}`, { timeoutMs: 60_000 });
  t.equal(await ready.outcome, 'ready');
  t.equal(timers(), before, 'a clock runs only while it is being connected');
});
