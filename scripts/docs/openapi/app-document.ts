// The routes of the real application as @fastify/swagger sees them, before anything is added by hand.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { type AppParts, buildApp } from '../../../src/app.ts';
import type { Config } from '../../../src/config/config.ts';
import { createIdentity } from '../../../src/identity/chain.ts';
import { createLimits } from '../../../src/limits/limits.ts';
import { createReadiness } from '../../../src/listener/readiness.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createSubjectHash } from '../../../src/telemetry/subject-hash.ts';
import { destination } from '../../../src/tokens/access-token.ts';
import type { RoutePaths } from './describe.ts';

const NO_BUDGETS = { characters: null, audio_seconds: null, call_seconds: null, mints: null };

/** Mounts every HTTP route that can exist; none of it is ever used to answer a request. */
const CONFIG: Config = {
  listen: {
    host: '127.0.0.1',
    port: 0,
    publicUrl: null,
    tls: null,
    trustProxy: [],
    requireHttps: false,
    drainDelayMs: 0,
    drainDeadlineMs: 0,
  },
  management: { host: '127.0.0.1', port: 0, adminToken: null },
  upstream: {
    apiKeys: [],
    baseUrl: 'https://api.cartesia.ai',
    version: '2026-03-01',
    versionPolicy: 'fill',
    deadlineMs: 5_000,
    connections: 1,
    caFile: null,
    transport: 'undici',
    concurrency: { tts: null, stt: null, agent: null },
  },
  tokens: { signingSecrets: [], reuse: false },
  limits: { mintPerAddress: null, queue: { waitMs: 0, contextWaitMs: 0, length: 1 }, quota: NO_BUDGETS },
  store: { redisUrl: null, redisTls: null, prefix: '' },
  usage: { prices: { characters: null, audioSeconds: null, callSeconds: null } },
  log: { level: 'silent' },
  sockets: { browserRefusals: 'status' },
  proxy: true,
  clients: [],
  secretFiles: [],
};

/** The parts of an application without callers and without upstream. */
export function appParts(): AppParts {
  return {
    config: CONFIG,
    identity: createIdentity({ clients: CONFIG.clients, now: Date.now }),
    minters: new Map(),
    destination: (delivery) => destination(delivery, CONFIG.upstream.baseUrl),
    readiness: createReadiness(),
    logger: createLogger('silent'),
    metrics: createMetrics(),
    subjectHash: createSubjectHash(),
    certificate: null,
    carrier: { carry: neverUsed, pause: neverUsed, open: 0, cut: neverUsed, close: async () => {} },
    sockets: null,
    limits: createLimits({ config: CONFIG, store: createMemoryStore() }),
  };
}

function neverUsed(): never {
  throw new Error('an application that is only described carries nothing');
}

/** What the application's routes say about themselves. */
export async function routePaths(): Promise<RoutePaths> {
  const app = await buildDocumentedApp();
  try {
    await app.ready();
    // A pass through JSON drops what TypeBox attaches to its schemas. The shape is the generator's, whose types are less precise.
    const { paths } = JSON.parse(JSON.stringify(app.swagger())) as { paths: RoutePaths };
    return paths;
  } finally {
    await app.close();
  }
}

/**
 * The generator has to be registered before the first route. Fastify announces every new instance on a diagnostics channel, so
 * the application need not know about it.
 * @see https://fastify.dev/docs/latest/Reference/Hooks/#diagnostics-channel-hooks
 */
async function buildDocumentedApp(): Promise<FastifyInstance> {
  const onInitialization = (message: unknown): void => {
    const { fastify } = message as { fastify: FastifyInstance }; // documented payload of the channel
    fastify.register(swagger, { openapi: { openapi: '3.1.0' }, convertConstToEnum: false });
  };
  subscribe('fastify.initialization', onInitialization);
  try {
    return await buildApp(appParts());
  } finally {
    unsubscribe('fastify.initialization', onInitialization);
  }
}
