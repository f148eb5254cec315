// Starts a whole broker: makes the parts that the configuration asks for, listens, and shuts down in order.
import type { Server as HttpsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { buildApp } from './app.ts';
import type { Basics, BrokerSeams } from './broker/basics.ts';
import { type Cartesia, openCartesia } from './broker/cartesia.ts';
import { type Closing, createClosing } from './broker/closing.ts';
import { openSharedState, type SharedState } from './broker/shared-state.ts';
import { createWatchedFiles } from './broker/watched-files.ts';
import { loadCertificate } from './config/certificate-files.ts';
import type { Config, Delivery } from './config/config.ts';
import { Problem } from './errors/problems.ts';
import { createIdentity } from './identity/chain.ts';
import { observeKeySets } from './identity/observe-key-sets.ts';
import { watchCertificate } from './listener/certificate.ts';
import { closeAtOnce, type DrainOptions, drain } from './listener/drain.ts';
import { createReadiness, type Readiness } from './listener/readiness.ts';
import { watchStrain } from './listener/strain.ts';
import { urlOf } from './listener/url-of.ts';
import { type AdminToken, createAdminToken } from './management/admin/admin-token.ts';
import { buildManagement } from './management/server.ts';
import type { Logger } from './telemetry/logger.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { observeStrain } from './telemetry/observe-strain.ts';
import { createSubjectHash, type SubjectHash } from './telemetry/subject-hash.ts';
import { type Destination, destination } from './tokens/access-token.ts';
import { createMinting } from './tokens/minting.ts';
import type { TokenClientHealth } from './upstream/token-client.ts';

export type { BrokerSeams } from './broker/basics.ts';

export interface Broker {
  /** The public listener's URL on this machine. */
  readonly url: string;
  readonly managementUrl: string;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  /** Number of requests being carried to Cartesia now. */
  readonly carried: number;
  /** Number of leases that this replica holds or waits for. */
  readonly leases: number;
  /** Checks the secret and certificate files now. */
  renewSecrets(): void;
  /** Graceful: see `listener/drain.ts`. `delayMs` overrides the configured drain delay. */
  stop(options?: Partial<Pick<DrainOptions, 'delayMs' | 'idleGraceMs'>>): Promise<void>;
}

/** Connections that may wait to be accepted; a client that finds the queue full retries after a second or more. Linux's own default limit. */
const BACKLOG = 4096;
/** An orchestrator's first probe comes within this time, or much later. */
const WARM_UP_AFTER_MS = 50;
const STORE_PATIENCE_MS = 500;

/** Opens both listeners. Rejects when a port is taken or a file cannot be used; whatever was opened until then is closed first. */
export async function startBroker(config: Config, logger: Logger, seams: BrokerSeams = {}): Promise<Broker> {
  const closing = createClosing();
  try {
    return await openBroker(basicsOf(config, logger, seams, closing));
  } catch (error) {
    await closing.close().catch(() => {}); // why it did not start matters more
    throw error;
  }
}

function basicsOf(config: Config, logger: Logger, seams: BrokerSeams, closing: Closing): Basics {
  const metrics = createMetrics();
  const { now = Date.now, certificateCheckMs, secretsCheckMs } = seams;
  const files = createWatchedFiles({ logger, metrics, closing, certificateCheckMs, secretsCheckMs });
  return { config, seams, now, logger, metrics, readiness: createReadiness(), files, closing };
}

async function openBroker(basics: Basics): Promise<Broker> {
  const { config, seams, now, logger, metrics, readiness, files, closing } = basics;
  const certificate = config.listen.tls === null ? null : await loadCertificate(config.listen.tls);
  const state = await openSharedState(basics);
  const { limits } = state;
  const cartesia = await openCartesia(basics, state);
  const { tokenClient, carriers } = cartesia;
  const { minters, authenticators, keys } = await createMinting(config, { client: tokenClient, now });
  const identity = createIdentity({
    clients: config.clients,
    now,
    extra: authenticators,
    onEvent: observeKeySets(logger, metrics),
  });
  closing.add(() => identity.close());

  const subjectHash = createSubjectHash();
  const adminToken = config.management.adminToken === null ? null : createAdminToken(config.management.adminToken);
  const management = await openManagement(basics, { state, cartesia, adminToken, subjectHash });
  const localUrl = (): string => urlOf(app.server, certificate === null ? 'http' : 'https');
  const app = await buildApp({
    config,
    identity,
    minters,
    destination: destinationsOf(config, localUrl),
    carrier: carriers?.http ?? null,
    sockets: carriers?.sockets ?? null,
    limits,
    readiness,
    logger,
    metrics,
    subjectHash,
    certificate,
    ...(seams.timeouts === undefined ? {} : { timeouts: seams.timeouts }),
  });
  closing.add(() => closeAtOnce(app));
  await app.listen({ host: config.listen.host, port: config.listen.port, backlog: BACKLOG });
  await management.listen({ host: config.management.host, port: config.management.port });

  if (config.listen.tls !== null && certificate !== null) {
    const server = app.server as HttpsServer; // it is one: a certificate is configured
    files.add(watchCertificate(server, config.listen.tls, certificate, files.pemWatching('listener')));
  }
  files.watchSecrets(config.secretFiles, {
    api_key: cartesia.ring.renew,
    signing_secret: (next) => keys?.renew(next),
    admin_token: ([next]) => next && adminToken?.renew(next),
    redis_url: ([next]) => next && state.renewRedisUrl(next),
  });
  openStrainWatch(basics);
  await becomeReady(state, readiness);
  // Warm up before the first caller, without waiting for it: an issuer that is down must not keep the broker from starting.
  // Not at once, since it blocks the event loop for tens of milliseconds.
  const warmUp = setTimeout(() => {
    void identity.warm();
    void tokenClient.load();
  }, WARM_UP_AFTER_MS);
  closing.add(() => clearTimeout(warmUp));

  return {
    url: localUrl(),
    managementUrl: urlOf(management.server, 'http'),
    readiness,
    metrics,
    get carried() {
      return carriers?.http.open ?? 0;
    },
    get leases() {
      return limits.leases.open;
    },
    renewSecrets: () => files.look(),
    async stop(options = {}) {
      await drain(app.server, {
        readiness,
        delayMs: config.listen.drainDelayMs,
        deadlineMs: config.listen.drainDeadlineMs,
        drainSockets: async (deadlineMs) => carriers?.sockets.relays.drain(deadlineMs),
        onDeadline(connections) {
          logger.warn({ connections, carried: carriers?.http.open ?? 0 }, 'drain deadline: what is still open is cut');
          carriers?.http.cut(new Problem('draining'));
          limits.leases.refuseWaits(new Problem('draining'));
          void tokenClient.close(); // refuses mints under way with `draining` too
        },
        ...options,
      });
      await closing.close();
    },
  };
}

interface ManagementParts {
  readonly state: SharedState;
  readonly cartesia: Cartesia;
  readonly adminToken: AdminToken | null;
  readonly subjectHash: SubjectHash;
}

async function openManagement(
  { config, readiness, logger, metrics, closing }: Basics,
  { state, cartesia, adminToken, subjectHash }: ManagementParts,
): Promise<FastifyInstance> {
  const management = await buildManagement({
    readiness,
    logger,
    metrics,
    admin:
      adminToken === null
        ? null
        : {
            token: adminToken,
            limits: state.limits,
            prices: config.usage.prices,
            subjectHash,
            clients: config.clients.map(({ name }) => name),
          },
    details: () => ({ upstream: healthLine(cartesia.tokenClient.health), store: state.store.state }),
  });
  closing.add(() => management.close());
  return management;
}

/** In snake_case, like everything the broker sends. */
function healthLine({ secondsSinceLastToken: seconds, ...health }: TokenClientHealth): object {
  return { ...health, seconds_since_last_token: seconds === null ? null : Math.round(seconds * 1_000) / 1_000 };
}

/** Where each delivery's tokens are used. */
function destinationsOf(config: Config, localUrl: () => string): (delivery: Delivery) => Destination {
  let { publicUrl } = config.listen;
  return (delivery) => {
    if (delivery === 'direct') return destination('direct', config.upstream.baseUrl);
    // Whoever is asking has reached the listener, so it has an address by now.
    publicUrl ??= localUrl();
    return destination('proxied', publicUrl);
  };
}

function openStrainWatch({ seams, logger, metrics, readiness, closing }: Basics): void {
  const tellStrain = observeStrain(logger, metrics);
  const watch = watchStrain({
    ...(seams.nodeOptions === undefined ? {} : { nodeOptions: seams.nodeOptions }),
    onChange(strain) {
      readiness.setStrain(strain);
      tellStrain(strain);
    },
  });
  closing.add(() => watch.stop());
}

/** Waits only briefly for the store. If it is down, that keeps the replica from becoming ready, not from starting. */
async function becomeReady({ limits }: SharedState, readiness: Readiness): Promise<void> {
  const becoming = limits.ready.then(() => {
    if (readiness.state === 'starting') readiness.set('ready');
  });
  await Promise.race([becoming, sleep(STORE_PATIENCE_MS)]);
}
