// Two replicas as separate processes, one Redis, and one simulated Cartesia that counts what is really active.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Test } from 'tap';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type RedisServer, redisServer } from '../store/redis-server.ts';
import { open, SPEECH, send } from './carried-broker.ts';
import { until } from './limits-answers.ts';
import { type ServeProcess, serveProcess } from './serve-process.ts';

export interface Replica extends ServeProcess {
  readonly url: string;
  readonly managementUrl: string;
}

export interface Deployment {
  readonly simulator: Simulator;
  readonly redis: RedisServer;
  readonly replicas: readonly [Replica, Replica];
  readonly adminToken: string;
  /** The app key of the client app `kiosk`. */
  readonly appKey: string;
  /** Starts one more replica. */
  start(): Promise<Replica>;
  /** A generation on behalf of a subject. */
  speak(replica: Replica, subject: string): ReturnType<typeof send>;
  /** The same, up to the response head. */
  begin(replica: Replica, subject: string): ReturnType<typeof open>;
}

export interface DeploymentOptions {
  readonly limit: number;
  readonly waitSeconds?: number;
  readonly client?: Readonly<Record<string, unknown>>;
  /** The URL at which the replicas find Redis, if not its own. */
  readonly redisUrl?: (redis: RedisServer) => string | Promise<string>;
  readonly isRedisDown?: boolean;
  readonly listen?: Readonly<Record<string, unknown>>;
}

/** The simulated account allows far more than the limit, so that an excess is counted rather than refused. */
export async function deploy(t: Test, options: DeploymentOptions): Promise<Deployment> {
  const { limit, waitSeconds = 2, client = {}, isRedisDown = false, listen = {} } = options;
  const redis = await redisServer(t, { isDown: isRedisDown });
  const redisUrl = (await options.redisUrl?.(redis)) ?? redis.url.reveal();
  const simulator = await startSimulator({ tlsPort: null, settings: { limits: { tts: 10_000 } } });
  t.teardown(() => simulator.close());
  const appKey = createAppKey();
  const adminToken = randomBytes(24).toString('hex');
  const file = {
    listen,
    limits: { queue: { wait: waitSeconds } },
    clients: {
      kiosk: { auth: { keys: [`sha256:${appKeyDigest(appKey)}`] }, trusted: true, limits: { mint: 'off' }, ...client },
    },
  };
  const directory = t.testdir({ 'broker.json': JSON.stringify(file) });
  const env = {
    CARTESIA_API_KEY: simulator.apiKey,
    CARTESIA_BASE_URL: simulator.url,
    CARTESIA_ALLOW_INSECURE: 'true',
    BROKER_CONFIG: join(directory, 'broker.json'),
    TTS_CONCURRENCY: String(limit),
    REDIS_URL: redisUrl,
    ADMIN_TOKEN: adminToken,
    PROXY: 'true',
    MINT_RATE_PER_IP: 'off',
    PORT: '0',
    MANAGEMENT_PORT: '0',
  };
  const start = async (): Promise<Replica> => {
    const process = serveProcess(t, { env });
    return { ...process, ...(await process.listening) };
  };
  const replicas = await Promise.all([start(), start()]);
  const headers = (subject: string) => ({ 'x-broker-subject': subject });
  const deployment: Deployment = {
    simulator,
    redis,
    replicas,
    adminToken,
    appKey,
    start,
    speak: ({ url }, subject) =>
      send(`${url}/tts/bytes`, { credential: appKey, json: SPEECH, headers: headers(subject) }),
    begin: ({ url }, subject) =>
      open(`${url}/tts/bytes`, { credential: appKey, json: SPEECH, headers: headers(subject) }),
  };
  if (!isRedisDown) {
    // A store that was empty gives nothing out at first.
    for (const replica of replicas) await until(async () => (await deployment.speak(replica, 'first')).status === 200);
    simulator.resetCounters();
  }
  return deployment;
}

/** Status of the readiness probe: 200 or 503. */
export async function readiness({ managementUrl }: Replica): Promise<number> {
  return (await send(`${managementUrl}/readyz`)).status;
}
