// The management listener, for operators: detailed health, metrics, the admin API and the console.
import Fastify, { type FastifyInstance } from 'fastify';
import { toProblem } from '../errors/from-fastify.ts';
import { errors, sendProblem, unknownRoutes } from '../errors/plugin.ts';
import { answerHeaders, setAnswerHeaders } from '../listener/answer-headers.ts';
import { sendContinueBeforeBody } from '../listener/continue.ts';
import { noCompilers } from '../listener/no-compilers.ts';
import { cutConnections } from '../listener/open-connections.ts';
import type { Readiness } from '../listener/readiness.ts';
import { requestIdOf } from '../listener/request-id.ts';
import { createServer, noClientErrorHandler } from '../listener/server.ts';
import { strictJsonBodies } from '../listener/strict-json-bodies.ts';
import { leaveLongBodies } from '../listener/unread-body.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { faultReporter } from '../telemetry/report-problem.ts';
import { type AdminOptions, adminRoutes } from './admin/admin-routes.ts';
import { consoleRoutes } from './console/console-routes.ts';
import { metricsRoute } from './metrics-route.ts';
import { type ProbeDetails, probes } from './probes.ts';

export interface ManagementOptions {
  readonly readiness: Readiness;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** `null`: there is neither an admin API nor a console. */
  readonly admin: Omit<AdminOptions, 'logger'> | null;
  /** Shown by the probes. */
  readonly details: () => ProbeDetails;
}

/** Time for the responses that are under way at a shutdown. */
const LAST_ANSWERS_MS = 500;

export async function buildManagement(options: ManagementOptions): Promise<FastifyInstance> {
  const { readiness, logger, metrics, admin, details } = options;
  const app = Fastify({
    serverFactory: (handler) => createServer(handler, { tls: null }),
    logger: false,
    clientErrorHandler: noClientErrorHandler,
    genReqId: requestIdOf,
    requestIdHeader: false,
    exposeHeadRoutes: false,
    schemaController: noCompilers,
    return503OnClosing: false,
    frameworkErrors: (error, _request, reply) => {
      setAnswerHeaders(reply);
      sendProblem(reply, toProblem(error));
    },
  });
  // Node's timeouts end with the server: a connection that never sends a request would hold up the shutdown for as long as it likes.
  app.addHook('preClose', (done) => {
    setTimeout(() => cutConnections(app.server), LAST_ANSWERS_MS).unref();
    done();
  });
  await app.register(answerHeaders);
  const onProblem = faultReporter(logger, metrics);
  await app.register(errors, { onProblem });
  leaveLongBodies(app);
  await app.register(probes, { readiness, details });
  await app.register(metricsRoute, { registry: metrics.registry });
  if (admin !== null) {
    strictJsonBodies(app);
    sendContinueBeforeBody(app);
    await app.register(adminRoutes, { ...admin, logger });
    await app.register(consoleRoutes, { ...admin, logger, readiness, details, onProblem });
  }
  await app.register(unknownRoutes);
  return app;
}
