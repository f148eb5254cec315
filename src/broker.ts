// Starts a whole broker: makes the parts that the configuration asks for, listens, and shuts down in order.
import type { Server as HttpsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildApp } from './app.ts';
import { loadCertificate } from './config/certificate-files.ts';
import type { Config, Delivery } from './config/config.ts';
import type { PemWatching } from './config/watch-pem-files.ts';
import { type SecretsWatch, watchSecrets } from './config/watch-secrets.ts';
import { Problem } from './errors/problems.ts';
import { createIdentity } from './identity/chain.ts';
import { observeKeySets } from './identity/observe-key-sets.ts';
import { createLimits } from './limits/limits.ts';
import { measureLimits, observeLimits } from './limits/observe-limits.ts';
import { watchCertificate } from './listener/certificate.ts';
import { type DrainOptions, drain } from './listener/drain.ts';
import { createReadiness, type Readiness } from './listener/readiness.ts';
import type { ServerTimeouts } from './listener/server.ts';
import { watchStrain } from './listener/strain.ts';
import { urlOf } from './listener/url-of.ts';
import { createAdminToken } from './management/admin/admin-token.ts';
import { buildManagement } from './management/server.ts';
import { type CarrierClocks, createCarrier } from './proxy/carrier.ts';
import { createLimitedSessions } from './proxy/websocket/limited-sessions.ts';
import { Relays, type RelaysOptions } from './proxy/websocket/relays.ts';
import type { SessionGuards } from './proxy/websocket/session-guard.ts';
import type { SocketCarrier } from './proxy/websocket/socket-routes.ts';
import { createSpentTokens } from './proxy/websocket/spent-tokens.ts';
import { createUpstreamConnector } from './proxy/websocket/upstream-socket.ts';
import { observeStore } from './store/observe-store.ts';
import { openRedisTls, openStore } from './store/open-store.ts';
import type { Logger } from './telemetry/logger.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { observeSecrets } from './telemetry/observe-secrets.ts';
import { observeStrain } from './telemetry/observe-strain.ts';
import { observeTlsFiles, type TlsFilesUse } from './telemetry/observe-tls-files.ts';
import { createSubjectHash } from './telemetry/subject-hash.ts';
import { type Destination, destination } from './tokens/access-token.ts';
import { createMinting } from './tokens/minting.ts';
import { createTransport } from './upstream/create-transport.ts';
import { createKeyAlarm } from './upstream/key-alarm.ts';
import { createKeyRing } from './upstream/key-ring.ts';
import { observeUpstream } from './upstream/observe-upstream.ts';
import { createTokenClient, type TokenClientHealth } from './upstream/token-client.ts';
import { openTrust } from './upstream/trust.ts';

/** What a test may replace; each has its production default. */
export interface BrokerSeams {
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly timeouts?: Partial<ServerTimeouts>;
  readonly relays?: RelaysOptions;
  /** Milliseconds allowed for a WebSocket handshake with upstream. */
  readonly socketHandshakeMs?: number;
  readonly guards?: SessionGuards;
  /** Milliseconds between two checks of the certificate files. */
  readonly certificateCheckMs?: number;
  /** Milliseconds between two checks of the secret files. */
  readonly secretsCheckMs?: number;
  /** The value of NODE_OPTIONS, which may contain a heap limit. */
  readonly nodeOptions?: string;
  /** Shorter deadlines for carried requests. */
  readonly carrying?: CarrierClocks;
}

/** Renewals are days apart, and a check costs one stat call per file. */
const CERTIFICATE_CHECK_MS = 10_000;
const SECRETS_CHECK_MS = 10_000;

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

/** A bound above what any Cartesia plan runs at once. */
const CARRIED_CONNECTIONS_MAX = 1024;
const CONNECT_TIMEOUT_MS = 3000;
/** Connections that may wait to be accepted; a client that finds the queue full retries after a second or more. Linux's own default limit. */
const BACKLOG = 4096;
/** An orchestrator's first probe comes within this time, or much later. */
const WARM_UP_AFTER_MS = 50;
const STORE_PATIENCE_MS = 500;

/** Opens both listeners; rejects when a port is taken or a certificate cannot be read. */
export async function startBroker(config: Config, logger: Logger, seams: BrokerSeams = {}): Promise<Broker> {
  const { now = Date.now, certificateCheckMs = CERTIFICATE_CHECK_MS } = seams;
  const metrics = createMetrics();
  const readiness = createReadiness();
  const certificate = config.listen.tls === null ? null : await loadCertificate(config.listen.tls);

  const redisUrl = config.store.redisUrl === null ? null : { current: config.store.redisUrl };
  const watching = (use: TlsFilesUse): PemWatching => ({
    everyMs: certificateCheckMs,
    ...observeTlsFiles(use, logger, metrics),
  });
  const redisTls = await openRedisTls(config.store.redisTls, watching('redis'));
  let secrets: SecretsWatch | null = null; // made after everything that it renews
  // Runs at each reconnect: if the Redis password has changed, the file has the new one by now, or soon will.
  const refresh = (): void => {
    secrets?.look('redis_url');
    redisTls?.look();
  };
  const redis = redisUrl === null ? null : { url: redisUrl, tls: redisTls, refresh };
  const store = await openStore(redis, config.store.prefix, observeStore(logger, metrics.limits));
  const limits = createLimits({ config, store, onEvent: observeLimits(metrics.limits) });
  measureLimits(metrics.limits, limits, store);
  const onEvent = observeUpstream(logger, metrics);
  const monotonic = (): number => performance.now();
  const ring = createKeyRing(config.upstream.apiKeys, { now: monotonic });
  const keyRefused = createKeyAlarm(ring, onEvent);
  const trust = await openTrust(config.upstream.caFile, watching('upstream'));
  const tokenClient = createTokenClient(config.upstream, { ring, trust, onEvent });
  metrics.readBreaker(() => tokenClient.health.breaker);
  const carrier = config.proxy
    ? createCarrier({
        transport: await createTransport(config.upstream.transport, {
          upstream: { ...config.upstream, connections: CARRIED_CONNECTIONS_MAX },
          trust,
          connectTimeoutMs: CONNECT_TIMEOUT_MS,
        }),
        ring,
        now: monotonic,
        isDraining: () => readiness.state === 'draining',
        keyRefused,
        ...(seams.carrying === undefined ? {} : { clocks: seams.carrying }),
      })
    : null;
  const relays = new Relays(seams.relays);
  const sockets: SocketCarrier | null = config.proxy
    ? {
        connector: createUpstreamConnector(config.upstream, trust, seams.socketHandshakeMs),
        relays,
        ring,
        guards: seams.guards ?? createLimitedSessions(limits),
        spentTokens: createSpentTokens(store),
        keyRefused,
        now,
      }
    : null;
  const { minters, authenticators, keys } = await createMinting(config, { client: tokenClient, now });
  const identity = createIdentity({
    clients: config.clients,
    now,
    extra: authenticators,
    onEvent: observeKeySets(logger, metrics),
  });

  let { publicUrl } = config.listen;
  const localUrl = (): string => urlOf(app.server, certificate === null ? 'http' : 'https');
  const destinations: Record<Delivery, () => Destination> = {
    direct: () => destination('direct', config.upstream.baseUrl),
    // Whoever is asking has reached the listener, so it has an address by now.
    proxied() {
      publicUrl ??= localUrl();
      return destination('proxied', publicUrl);
    },
  };
  const subjectHash = createSubjectHash();
  const app = await buildApp({
    config,
    identity,
    minters,
    destination: (delivery) => destinations[delivery](),
    carrier,
    sockets,
    limits,
    readiness,
    logger,
    metrics,
    subjectHash,
    certificate,
    ...(seams.timeouts === undefined ? {} : { timeouts: seams.timeouts }),
  });
  const adminToken = config.management.adminToken === null ? null : createAdminToken(config.management.adminToken);
  const management = await buildManagement({
    readiness,
    logger,
    metrics,
    admin:
      adminToken === null
        ? null
        : {
            token: adminToken,
            limits,
            prices: config.usage.prices,
            subjectHash,
            clients: config.clients.map(({ name }) => name),
          },
    details: () => ({ upstream: healthLine(tokenClient.health), store: store.state }),
  });

  const closeParts = async (): Promise<void> => {
    await Promise.all([management.close(), tokenClient.close(), carrier?.close(), identity.close()]);
    await limits.close();
    await store.close();
    redisTls?.stop();
    trust.stop();
  };
  try {
    await app.listen({ host: config.listen.host, port: config.listen.port, backlog: BACKLOG });
    await management.listen({ host: config.management.host, port: config.management.port });
  } catch (error) {
    await Promise.all([app.close(), closeParts()]);
    throw error;
  }
  const certificateWatch =
    config.listen.tls === null || certificate === null
      ? null
      : watchCertificate(
          app.server as HttpsServer, // it is one: a certificate is configured
          config.listen.tls,
          certificate,
          watching('listener'),
        );
  secrets = watchSecrets(config.secretFiles, {
    everyMs: seams.secretsCheckMs ?? SECRETS_CHECK_MS,
    renew: {
      api_key: ring.renew,
      signing_secret: (next) => keys?.renew(next),
      admin_token: ([next]) => next && adminToken?.renew(next),
      redis_url([next]) {
        if (redisUrl !== null && next !== undefined) redisUrl.current = next;
      },
    },
    onEvent: observeSecrets(logger, metrics),
  });
  const tellStrain = observeStrain(logger, metrics);
  const strainWatch = watchStrain({
    ...(seams.nodeOptions === undefined ? {} : { nodeOptions: seams.nodeOptions }),
    onChange(strain) {
      readiness.setStrain(strain);
      tellStrain(strain);
    },
  });
  // Wait briefly for the store. If it is down, that keeps the replica from becoming ready, not from starting.
  await Promise.race([limits.ready, sleep(STORE_PATIENCE_MS)]);
  void limits.ready.then(() => readiness.state === 'starting' && readiness.set('ready'));
  await Promise.resolve();
  // Warm up before the first caller, without waiting for it: an issuer that is down must not keep the broker from starting.
  // Not at once, since it blocks the event loop for tens of milliseconds.
  const warmUp = setTimeout(() => {
    void identity.warm();
    void tokenClient.load();
  }, WARM_UP_AFTER_MS);

  return {
    url: localUrl(),
    managementUrl: urlOf(management.server, 'http'),
    readiness,
    metrics,
    get carried() {
      return carrier?.open ?? 0;
    },
    get leases() {
      return limits.leases.open;
    },
    renewSecrets() {
      secrets?.look();
      certificateWatch?.look();
      redisTls?.look();
      trust.look();
    },
    async stop(options = {}) {
      await drain(app.server, {
        readiness,
        delayMs: config.listen.drainDelayMs,
        deadlineMs: config.listen.drainDeadlineMs,
        drainSockets: (deadlineMs) => relays.drain(deadlineMs),
        onDeadline(connections) {
          logger.warn({ connections, carried: carrier?.open ?? 0 }, 'drain deadline: what is still open is cut');
          carrier?.cut(new Problem('draining'));
          limits.leases.refuseWaits(new Problem('draining'));
          void tokenClient.close(); // refuses mints under way with `draining` too
        },
        ...options,
      });
      clearTimeout(warmUp);
      certificateWatch?.stop();
      secrets?.stop();
      strainWatch.stop();
      await app.close();
      await closeParts();
    },
  };
}

/** In snake_case, like everything the broker sends. */
function healthLine({ secondsSinceLastToken: seconds, ...health }: TokenClientHealth): object {
  return { ...health, seconds_since_last_token: seconds === null ? null : Math.round(seconds * 1_000) / 1_000 };
}
