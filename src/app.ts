// Composes the Fastify plugins of the public application, in the order in which a request meets them.
import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance } from 'fastify';
import { createAdmission, type Purpose } from './admission/admission.ts';
import type { Certificate } from './config/certificate-files.ts';
import type { Config, Delivery } from './config/config.ts';
import { toProblem } from './errors/from-fastify.ts';
import { errors, sendProblem, unknownRoutes } from './errors/plugin.ts';
import type { Problem } from './errors/problems.ts';
import type { Identity } from './identity/chain.ts';
import type { Limits } from './limits/limits.ts';
import { registerRateLimits } from './limits/rate-limits.ts';
import { answerHeaders, setAnswerHeaders } from './listener/answer-headers.ts';
import { boundConnections, connectionsMax, openFilesMax } from './listener/connections.ts';
import { sendContinueBeforeBody } from './listener/continue.ts';
import { corsOptions } from './listener/cors.ts';
import { closeConnectionsWhileDraining } from './listener/drain.ts';
import { noCompilers } from './listener/no-compilers.ts';
import type { Readiness } from './listener/readiness.ts';
import { requestIdOf } from './listener/request-id.ts';
import {
  createServer,
  KEEP_ALIVE_BEHIND_PROXY_MS,
  noClientErrorHandler,
  type ServerTimeouts,
} from './listener/server.ts';
import { shedWithoutMemory } from './listener/shedding.ts';
import { strictJsonBodies } from './listener/strict-json-bodies.ts';
import { trustedProxies } from './listener/trusted-proxies.ts';
import { leaveLongBodies } from './listener/unread-body.ts';
import { probes } from './management/probes.ts';
import type { Carrier } from './proxy/carrier.ts';
import { proxyRoutes, requireId } from './proxy/routes.ts';
import { type SocketCarrier, socketRoutes } from './proxy/websocket/socket-routes.ts';
import { referenceRoutes } from './reference/routes.ts';
import { statusRoute } from './reference/status-route.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { observeConnections } from './telemetry/observe-connections.ts';
import { reportProblem } from './telemetry/report-problem.ts';
import { requestLog } from './telemetry/request-log.ts';
import type { SubjectHash } from './telemetry/subject-hash.ts';
import type { Destination } from './tokens/access-token.ts';
import type { Minter } from './tokens/minter.ts';
import { mintRoute } from './tokens/route.ts';
import { reportUndelivered } from './tokens/undelivered.ts';
import { countUsage } from './usage/count-usage.ts';

/** What the application is made of; `broker.ts` makes the parts, tests may bring their own. */
export interface AppParts {
  readonly config: Config;
  readonly identity: Identity;
  readonly minters: ReadonlyMap<Delivery, Minter>;
  readonly destination: (delivery: Delivery) => Destination;
  /** `null`: Cartesia's own paths are not served. */
  readonly carrier: Carrier | null;
  /** `null`: Cartesia's WebSockets are not served. */
  readonly sockets: SocketCarrier | null;
  readonly limits: Limits;
  readonly readiness: Readiness;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly subjectHash: SubjectHash;
  readonly certificate: Certificate | null;
  readonly timeouts?: Partial<ServerTimeouts>;
}

/** The limit for routes that set none of their own because they take no body. */
const BODY_MAX_BYTES = 16 * 1024;

/** The public application, not yet listening. */
export async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { config, readiness, logger, metrics, subjectHash, carrier, sockets } = parts;
  const app = createApp(parts);

  // What every request meets.
  strictJsonBodies(app);
  await app.register(answerHeaders);
  await app.register(requestLog, { logger, metrics, subjectHash });
  await app.register(errors, { onProblem: reportProblem(logger, metrics) });
  leaveLongBodies(app);
  closeConnectionsWhileDraining(app, readiness);
  await app.register(cors, corsOptions(config.clients));

  // For everybody.
  await app.register(statusRoute, { version: config.upstream.version });
  await app.register(probes, { readiness });
  await app.register(referenceRoutes);

  // For callers who are admitted.
  await app.register((scope) => minting(scope, parts));
  if (carrier !== null) await app.register((scope) => carrying(scope, parts, carrier));
  if (sockets !== null) await app.register((scope) => carryingSockets(scope, parts, sockets));

  await app.register(unknownRoutes);
  return app;
}

/** From connections to requests. */
function createApp({ config, certificate, timeouts, carrier, logger, metrics }: AppParts): FastifyInstance {
  const onRefused = (problem: Problem, requestId: string): void => {
    metrics.refusedBeforeRouting.inc({ code: problem.code });
    logger.info({ request_id: requestId, status: problem.status, outcome: problem.code }, 'refused before routing');
  };
  const isBehindProxy = config.listen.trustProxy.length > 0;
  const app = Fastify({
    serverFactory: (handler) =>
      createServer(handler, {
        tls: certificate,
        onRefused,
        timeouts: { ...(isBehindProxy ? { keepAliveMs: KEEP_ALIVE_BEHIND_PROXY_MS } : {}), ...timeouts },
      }),
    clientErrorHandler: noClientErrorHandler,
    logger: false, // telemetry/request-log.ts writes our own lines, from an allow-list
    genReqId: requestIdOf,
    requestIdHeader: false, // a caller must not choose the id that support will ask for
    trustProxy: trustedProxies(config.listen.trustProxy),
    bodyLimit: BODY_MAX_BYTES,
    schemaController: noCompilers,
    return503OnClosing: false, // requests that still arrive are served, see listener/drain.ts
    exposeHeadRoutes: false,
    // These errors come before any hook, so the request has no log record yet.
    frameworkErrors: (error, request, reply) => {
      const problem = toProblem(error);
      onRefused(problem, request.id);
      setAnswerHeaders(reply);
      sendProblem(reply, problem);
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  const needs = { mintConnections: config.upstream.connections, isCarrying: carrier !== null };
  boundConnections(app.server, connectionsMax(openFilesMax(), needs), observeConnections(logger, metrics));
  return app;
}

async function minting(scope: FastifyInstance, parts: AppParts): Promise<void> {
  const { config, readiness, limits, logger, metrics, subjectHash } = parts;
  scope.addHook('onRequest', shedWithoutMemory(readiness));
  await registerRateLimits(scope);
  addAdmission(scope, parts, 'mint');
  sendContinueBeforeBody(scope);
  await scope.register(mintRoute, {
    upstream: config.upstream,
    minters: parts.minters,
    destination: parts.destination,
    quotas: limits.quotas,
    revocations: limits.revocations,
    onUndelivered: reportUndelivered(logger, metrics, subjectHash),
  });
}

async function carrying(scope: FastifyInstance, parts: AppParts, carrier: Carrier): Promise<void> {
  const { config, readiness, limits, metrics } = parts;
  scope.addHook('onRequest', shedWithoutMemory(readiness));
  scope.addHook('onRequest', requireId);
  addAdmission(scope, parts, 'carry');
  sendContinueBeforeBody(scope);
  await scope.register(proxyRoutes, { upstream: config.upstream, carrier, onUsage: countUsage(metrics), limits });
}

async function carryingSockets(scope: FastifyInstance, parts: AppParts, carrier: SocketCarrier): Promise<void> {
  const { config, readiness, logger, metrics, subjectHash } = parts;
  scope.addHook('onRequest', shedWithoutMemory(readiness));
  addAdmission(scope, parts, 'carry');
  await scope.register(socketRoutes, {
    upstream: config.upstream,
    limits: config.limits,
    clients: config.clients,
    browserRefusals: config.sockets.browserRefusals,
    carrier,
    telemetry: { logger, metrics, subjectHash, now: () => performance.now() },
    onProblem: reportProblem(logger, metrics),
  });
}

function addAdmission(scope: FastifyInstance, parts: AppParts, purpose: Purpose): void {
  const { config, identity, limits, destination } = parts;
  const { revocations, rates } = limits;
  const ownOrigin = (): string => new URL(destination('proxied').baseUrl).origin;
  scope.decorateRequest('admission', null);
  scope.addHook('onRequest', createAdmission(scope, { config, identity, revocations, rates, ownOrigin, purpose }));
}
