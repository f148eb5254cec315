// A start that fails, at each of its steps: whatever was opened by then is closed again, and the process ends by itself.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, open, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Test, test } from 'tap';
import { startBroker } from '../../src/broker.ts';
import type { Config } from '../../src/config/config.ts';
import { Secret } from '../../src/config/secret.ts';
import { createCertificate } from '../../src/simulator/certificate.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { API_KEY, configOf, KEY_HASH, SIGNING_SECRET } from '../config/loading.ts';
import { redisServer } from '../store/redis-server.ts';
import { serveProcess } from './serve-process.ts';

const ENV = {
  CARTESIA_API_KEY: API_KEY,
  CLIENT_KEYS: `web=${KEY_HASH}`,
  DELIVERY: 'proxied',
  TOKEN_SIGNING_SECRET: SIGNING_SECRET,
  TTS_CONCURRENCY: '2',
  PORT: '0',
  MANAGEMENT_PORT: '0',
};

/** A port that somebody else listens on. */
async function takenPort(t: Test): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // a TCP listener has one
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP listener has one
  server.close();
  await once(server, 'close');
  return port;
}

/** Other connections to Redis than the one that asks. */
async function othersAt(redis: Redis): Promise<string[]> {
  const own = `id=${await redis.client('ID')} `;
  const lines = String(await redis.client('LIST')).split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith(own));
}

/** What is left there, given a moment to notice that connections have ended. */
async function leftAt(redis: Redis): Promise<string[]> {
  for (let turns = 0; turns < 100 && (await othersAt(redis)).length > 0; turns += 1) await delay(10);
  return othersAt(redis);
}

async function watchedRedis(t: Test): Promise<{ readonly url: Secret; readonly redis: Redis }> {
  const { url } = await redisServer(t);
  const redis = new Redis(url.reveal());
  t.teardown(() => redis.disconnect());
  t.strictSame(await othersAt(redis), []);
  return { url, redis };
}

const SILENT = createLogger('silent');
const GONE = '/nonexistent/file.pem';

/** Whatever keeps this process alive. */
const openHandles = (): string[] => process.getActiveResourcesInfo().sort();

/** What makes each step of the start fail although the configuration was accepted, and with what it fails. */
const STEPS: readonly (readonly [
  step: string,
  spoil: (config: Config, t: Test) => Promise<Config> | Config,
  error: RegExp,
])[] = [
  [
    'the certificate of the listener is gone',
    (config) => ({ ...config, listen: { ...config.listen, tls: { certFile: GONE, keyFile: GONE } } }),
    /ENOENT/,
  ],
  [
    'the authorities for Redis are gone',
    (config) => ({ ...config, store: { ...config.store, redisTls: { caFile: GONE, certificate: null } } }),
    /ENOENT/,
  ],
  [
    'a key that cannot be sent',
    (config) => ({ ...config, upstream: { ...config.upstream, apiKeys: [new Secret('sk_car_\n')] } }),
    /API key number 1/,
  ],
  [
    'the authorities for Cartesia are gone',
    (config) => ({ ...config, upstream: { ...config.upstream, caFile: GONE } }),
    /ENOENT/,
  ],
  [
    'a base URL that no transport can use',
    (config) => ({ ...config, upstream: { ...config.upstream, baseUrl: 'nowhere' } }),
    /Invalid URL/,
  ],
  [
    'two client apps with the same key',
    (config) => ({ ...config, clients: config.clients.flatMap((one) => [one, { ...one, name: 'other' }]) }),
    /app key/,
  ],
  [
    'a range of proxies that cannot be read',
    (config) => ({ ...config, listen: { ...config.listen, trustProxy: ['nowhere'] } }),
    /Invalid socket address/,
  ],
  [
    'the port of the public listener is taken',
    async (config, t) => ({ ...config, listen: { ...config.listen, port: await takenPort(t) } }),
    /EADDRINUSE/,
  ],
  [
    'the port of the management listener is taken',
    async (config, t) => ({ ...config, management: { ...config.management, port: await takenPort(t) } }),
    /EADDRINUSE/,
  ],
];

test('whatever fails, nothing that was opened stays open', async (t) => {
  const { url, redis } = await watchedRedis(t);
  const good = await configOf({ ...ENV, REDIS_URL: url.reveal() });
  for (const [step, spoil, error] of STEPS) {
    const config = await spoil(good, t);
    const before = openHandles();
    await t.rejects(startBroker(config, SILENT), error, step);
    // Closed handles leave the list once the event loop has seen them close.
    for (let turns = 0; turns < 100 && openHandles().join() !== before.join(); turns += 1) await delay(10);
    t.strictSame(openHandles(), before, step);
    t.strictSame(await leftAt(redis), [], step);
  }
});

test('the port of the management listener is taken, and a client of the public one sends nothing', async (t) => {
  const { url, redis } = await watchedRedis(t);
  const good = await configOf({ ...ENV, REDIS_URL: url.reveal() });
  const port = await freePort();
  const config = {
    ...good,
    listen: { ...good.listen, port },
    management: { ...good.management, host: 'localhost', port: await takenPort(t) },
  };
  await t.rejects(startBroker(config, SILENT), /EADDRINUSE/, 'from here on every module is loaded');
  const goOn = holdLookups(t);
  const starting = startBroker(config, SILENT);
  const client = await connectedTo(t, port);
  const isCutOff = once(client, 'close');
  goOn();
  await t.rejects(Promise.race([starting, delay(3_000)]), /EADDRINUSE/);
  t.ok(await Promise.race([isCutOff, delay(1_000)]), 'the client is cut off');
  t.strictSame(await leftAt(redis), []);
});

/** Keeps every thread that could look up a name waiting for a writer. @returns lets them go */
function holdLookups(t: Test): () => void {
  const pipe = join(t.testdir({}), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
  for (let i = 0; i < threads; i += 1) open(pipe, 'r', (_error, fd) => closeSync(fd));
  return () => closeSync(openSync(pipe, 'w'));
}

/** Tries again until something listens there. */
async function connectedTo(t: Test, port: number): Promise<Socket> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    t.teardown(() => socket.destroy());
    if (isConnected) return socket.on('error', () => {});
    await delay(5);
  }
}

test('a process that cannot start says why in one line, and ends by itself with nothing left at Redis', async (t) => {
  const { url, redis } = await watchedRedis(t);
  const directory = t.testdir({ 'broker.json': JSON.stringify({ upstream: { ca_file: './authorities.pem' } }) });
  const authorities = join(directory, 'authorities.pem');
  execFileSync('mkfifo', [authorities]); // read once by the check of the configuration, and once more by the start
  const BROKER_CONFIG = join(directory, 'broker.json');
  const served = serveProcess(t, { env: { ...ENV, REDIS_URL: url.reveal(), BROKER_CONFIG, LOG_LEVEL: 'warn' } });
  await writeFile(authorities, createCertificate(Date.now()).cert);
  while ((await othersAt(redis)).length === 0) await delay(5); // the start has come as far as the store
  await writeFile(authorities, 'no certificate');
  t.strictSame(await Promise.race([served.ended, delay(5_000)]), { code: 1, signal: null });
  t.match(served.stderr(), /^Not started: [^\n]+\n$/);
  t.match(served.logs(), [{ level: 'fatal', msg: 'not started' }]);
  t.equal(served.logs().length, 1);
  t.strictSame(await leftAt(redis), []);
});
