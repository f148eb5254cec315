// The admin API on the management listener: revocations, open sessions, leases and usage. Every call is audited.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Config } from '../../config/config.ts';
import { toProblem } from '../../errors/from-fastify.ts';
import { Problem } from '../../errors/problems.ts';
import { refusedWith } from '../../errors/refused-with.ts';
import type { Limits } from '../../limits/limits.ts';
import type { Revocation } from '../../store/revocations.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { SubjectHash } from '../../telemetry/subject-hash.ts';
import type { AdminToken } from './admin-token.ts';
import { type AuditedScope, auditedScope } from './audited-scope.ts';
import { poolLines, revocationLine, sessionLine } from './listings.ts';
import { readRevocation, requireKnownClient } from './revocation-body.ts';
import { readSessionFilter } from './session-filter.ts';
import { summarise } from './usage-summary.ts';

export interface AdminOptions {
  readonly token: AdminToken;
  readonly limits: Limits;
  readonly prices: Config['usage']['prices'];
  readonly logger: Logger;
  readonly subjectHash: SubjectHash;
  /** Names of the client apps. */
  readonly clients: readonly string[];
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What the audit line of an admin call says besides its route and status. */
    audited: { readonly outcome: string; readonly about: AuditedScope } | null;
  }
}

/** Most records read for a summary; about as many as Redis keeps. */
const RECORDS_MAX = 100_000;
/** Session ids are request ids (UUIDs); the audit line cuts off anything longer. */
const SESSION_ID_SHOWN = 64;

export async function adminRoutes(
  app: FastifyInstance,
  { token, limits, prices, logger, subjectHash, clients }: AdminOptions,
): Promise<void> {
  const { revocations, allSessions, leases, usage } = limits;
  app.decorateRequest('audited', null);

  function audit(request: FastifyRequest, changes: Partial<NonNullable<FastifyRequest['audited']>>): void {
    request.audited = { ...(request.audited ?? { outcome: 'ok', about: {} }), ...changes };
  }

  /** @throws Problem if the body is not a valid revocation */
  function revocationOf(request: FastifyRequest): Revocation {
    const revocation = readRevocation(request.body, Date.now());
    audit(request, { about: auditedScope(revocation, subjectHash) });
    return revocation;
  }

  function writeLine(request: FastifyRequest, status: number): void {
    const { id, method } = request;
    const { outcome, about } = request.audited ?? { outcome: 'ok', about: {} };
    logger.info(
      { audit: 'admin', outcome, request_id: id, route: routeOf(request), method, status, ...about },
      'admin',
    );
  }

  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    if (!token.isIn(request.headers.authorization)) {
      const { id, method } = request;
      logger.warn(
        { audit: 'admin', outcome: 'unauthenticated', request_id: id, route: routeOf(request), method, status: 401 },
        'admin',
      );
      throw new Problem('unauthenticated');
    }
    // A body that breaks off is refused by the listener, so Fastify sends nothing.
    reply.raw.once('close', () => {
      const refusal = request.raw[refusedWith];
      if (refusal === undefined) return;
      audit(request, { outcome: refusal.code });
      writeLine(request, refusal.status);
    });
  });
  app.addHook('onError', async (request, _reply, error) => {
    audit(request, { outcome: toProblem(error).code });
  });
  // Not onResponse, which Fastify does not run if the client leaves first: what it asked for is done all the same.
  app.addHook('onSend', async (request, reply) => {
    if (reply.statusCode !== 401) writeLine(request, reply.statusCode);
  });

  app.get('/admin/revocations', async () => ({ revocations: revocations.list().map(revocationLine) }));
  app.post('/admin/revocations', async (request, reply) => {
    const revocation = revocationOf(request);
    requireKnownClient(revocation, clients);
    await revocations.add(revocation);
    return reply.code(201).send({ revocations: revocations.list().map(revocationLine) });
  });
  app.post('/admin/revocations/restore', async (request) => {
    const was = await revocations.remove(revocationOf(request));
    if (!was) throw new Problem('not_found', 'This scope is not revoked.');
    return { revocations: revocations.list().map(revocationLine) };
  });

  app.get('/admin/sessions', async (request) => {
    const { sessions, leftOut, silent } = await allSessions.list(readSessionFilter(request.query));
    return { sessions: sessions.map(sessionLine), left_out: leftOut, silent_replicas: silent };
  });
  app.delete('/admin/sessions/:id', async (request) => {
    const { id } = request.params as { readonly id: string }; // the route declares it
    audit(request, { about: { session: id.slice(0, SESSION_ID_SHOWN) } });
    const { killed, silent } = await allSessions.kill(id);
    if (killed) return { killed: id };
    const unsure = silent === 0 ? '' : ` Replicas that did not answer: ${silent}.`;
    throw new Problem('not_found', `No replica carries this session.${unsure}`);
  });

  app.get('/admin/leases', async () => {
    const pools = Object.entries(await leases.view());
    return { leases: Object.fromEntries(pools.map(([kind, pool]) => [kind, poolLines(pool)])) };
  });
  app.get('/admin/usage', async () => ({ usage: summarise(await usage.list(RECORDS_MAX), prices) }));
}

function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? '(none)';
}
