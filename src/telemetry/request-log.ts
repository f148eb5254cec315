// One log line and one set of counts per request, written when its answer is out or its client is gone.
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { refusedWith } from '../errors/refused-with.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { SubjectHash } from './subject-hash.ts';

/** What the line will say; filled by whoever learns it while the request is handled. */
export interface RequestRecord {
  client: string | null;
  /** In the clear here; hashed on its way into the line. */
  subject: string | null;
  method: string | null;
  /** `ok`, the error code, or `aborted`: the client went away before it had its answer. */
  outcome: string;
  /** Why a credential was refused: for the operator, never for the caller. */
  reason: string | null;
  upstreamMs: number | null;
  upstreamRequestId: string | null;
  /** Set by what was carried: what it consumed. */
  usage: { readonly characters: number; readonly audioBytes: number; readonly audioSeconds: number } | null;
  /** Set by the mint: what was handed out. */
  mint: {
    readonly grants: readonly string[];
    readonly expiresIn: number;
    readonly delivery: string;
    readonly reused: boolean;
  } | null;
}

declare module 'fastify' {
  interface FastifyRequest {
    record: RequestRecord;
  }
}

export interface RequestLogOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly subjectHash: SubjectHash;
}

/** Route templates that are asked for every few seconds by machines: logged at debug. */
const QUIET: ReadonlySet<string> = new Set(['/livez', '/readyz']);

/** What log and metrics say where nobody was left to be answered; no status of HTTP means that, and 499 is nginx's. */
const ABORTED_STATUS = 499;

export const requestLog = fp<RequestLogOptions>(
  async (app, { logger, metrics, subjectHash }) => {
    app.decorateRequest('record');
    app.addHook('onRequest', (request, reply, done) => {
      const record = emptyRecord();
      const startedAt = performance.now();
      request.record = record;
      // The raw response closes once, whatever becomes of the request. Fastify's onResponse does not come where the client has gone,
      // and its onRequestAbort neither once the body was read.
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
        record.outcome = 'aborted'; // unless the answer has begun, and it was we who broke it off
      }
      const status = record.outcome === 'aborted' ? ABORTED_STATUS : reply.raw.statusCode;
      const route = request.routeOptions.url ?? '(none)';
      metrics.requests.inc({ route, method: request.method, status });
      metrics.requestSeconds.observe({ route }, ms / 1000);
      if (route === '/access-token') countMint(metrics, record);
      const level = QUIET.has(route) && record.outcome === 'ok' ? 'debug' : 'info';
      if (logger.isLevelEnabled(level)) logger[level](line(request, route, status, ms, subjectHash), 'request');
    }
  },
  { name: 'request-log', fastify: '5.x' },
);

function emptyRecord(): RequestRecord {
  return {
    client: null,
    subject: null,
    method: null,
    outcome: 'ok',
    reason: null,
    upstreamMs: null,
    upstreamRequestId: null,
    usage: null,
    mint: null,
  };
}

function countMint(metrics: Metrics, record: RequestRecord): void {
  const outcome = record.mint === null ? record.outcome : record.mint.reused ? 'reused' : 'minted';
  metrics.mints.inc({ client: record.client ?? '(none)', delivery: record.mint?.delivery ?? '(none)', outcome });
  if (record.reason !== null) metrics.authenticationFailures.inc({ reason: record.reason });
}

/** The line of a mint or a refusal is also its audit line: `audit` marks those. */
function line(
  request: FastifyRequest,
  route: string,
  status: number,
  ms: number,
  subjectHash: SubjectHash,
): Record<string, unknown> {
  const { record } = request;
  const fields: Record<string, unknown> = {
    request_id: request.id,
    route,
    method: request.method,
    status,
    outcome: record.outcome,
    ms: Math.round(ms * 10) / 10,
  };
  if (record.client !== null) fields['client'] = record.client;
  if (record.client !== null && record.subject !== null) fields['subject'] = subjectHash(record.client, record.subject);
  if (record.method !== null) fields['auth'] = record.method;
  if (record.reason !== null) fields['reason'] = record.reason;
  if (record.upstreamMs !== null) fields['upstream_ms'] = Math.round(record.upstreamMs * 10) / 10;
  if (record.upstreamRequestId !== null) fields['upstream_request_id'] = record.upstreamRequestId;
  if (record.usage !== null) {
    fields['audit'] = 'usage';
    fields['characters'] = record.usage.characters;
    fields['audio_bytes'] = record.usage.audioBytes;
    fields['audio_seconds'] = Math.round(record.usage.audioSeconds * 1000) / 1000;
  } else if (record.mint !== null) {
    fields['audit'] = 'mint';
    fields['grants'] = record.mint.grants.join(' ');
    fields['expires_in'] = record.mint.expiresIn;
    fields['delivery'] = record.mint.delivery;
    if (record.mint.reused) fields['reused'] = true;
  } else if (status === 401 || status === 402 || status === 403 || status === 429) fields['audit'] = 'refusal';
  return fields;
}
