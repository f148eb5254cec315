// Writes one log line and one set of counts per request, when the response has been sent or the client is gone.
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { PROBLEMS } from '../errors/problems.ts';
import { refusedWith } from '../errors/refused-with.ts';
import { type Logger, writeLine } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { requestFields } from './request-line.ts';
import { emptyRecord, type RequestRecord } from './request-record.ts';
import type { SubjectHash } from './subject-hash.ts';
import { traceIdOf } from './trace-id.ts';

export interface RequestLogOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly subjectHash: SubjectHash;
}

/** Route templates that probes request every few seconds: logged at debug. */
const QUIET: ReadonlySet<string> = new Set(['/livez', '/readyz']);

/** The status in log and metrics if the client was gone before it had its response. HTTP has no such status; 499 is nginx's. */
const ABORTED_STATUS = 499;

export const requestLog = fp<RequestLogOptions>(
  async (app, { logger, metrics, subjectHash }) => {
    app.decorateRequest('record');
    app.addHook('onRequest', (request, reply, done) => {
      const record = emptyRecord();
      const startedAt = performance.now();
      request.record = record;
      // The raw response closes exactly once, whatever happens. Fastify does not run onResponse when the client is gone, nor
      // onRequestAbort once the body was read.
      reply.raw.on('close', () => written(request, reply, performance.now() - startedAt));
      done();
    });

    function written(request: FastifyRequest, reply: FastifyReply, ms: number): void {
      const { record } = request;
      const refusal = request.raw[refusedWith];
      // With 101 a socket is open; its own line is written when it ends (proxy/websocket/socket-account.ts).
      const isWhole = reply.raw.writableFinished || reply.raw.statusCode === 101;
      if (refusal !== undefined) record.outcome = refusal.code;
      else if (!isWhole && !(reply.raw.headersSent && record.outcome !== 'ok')) {
        record.outcome = 'aborted'; // unless we ourselves broke off a response that had begun
      }
      const status = record.outcome === 'aborted' ? ABORTED_STATUS : reply.raw.statusCode;
      const route = request.routeOptions.url ?? '(none)';
      metrics.requests.inc({ route, method: request.method, status });
      metrics.requestSeconds.observe({ route }, ms / 1000);
      if (status === 200 && record.outcome !== 'ok') countBrokenOff(metrics, route, record.outcome);
      if (route === '/access-token') countMint(metrics, record);
      if (record.reason !== null && record.outcome !== 'rate_limited')
        metrics.authenticationFailures.inc({ reason: record.reason });
      const level = QUIET.has(route) && record.outcome === 'ok' ? 'debug' : 'info';
      if (!logger.isLevelEnabled(level)) return;
      const { client, subject } = record;
      const facts = {
        requestId: request.id,
        route,
        method: request.method,
        status,
        ms,
        subject: client === null || subject === null ? null : subjectHash(client, subject),
        traceId: traceIdOf(request.headers),
      };
      writeLine(logger, level, requestFields(facts, record), 'request');
    }
  },
  { name: 'request-log', fastify: '5.x' },
);

/** An event stream may end with one of Cartesia's codes, which are not a fixed list, so they share one label value. */
function countBrokenOff(metrics: Metrics, route: string, outcome: string): void {
  metrics.brokenOff.inc({ route, outcome: Object.hasOwn(PROBLEMS, outcome) ? outcome : 'upstream_error' });
}

function countMint(metrics: Metrics, record: RequestRecord): void {
  const outcome = record.mint === null ? record.outcome : record.mint.reused ? 'reused' : 'minted';
  metrics.mints.inc({ client: record.client ?? '(none)', delivery: record.mint?.delivery ?? '(none)', outcome });
}
