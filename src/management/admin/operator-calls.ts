// Lets only operators call, and leaves an audit line for each call.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { toProblem } from '../../errors/from-fastify.ts';
import { Problem } from '../../errors/problems.ts';
import { refusedWith } from '../../errors/refused-with.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { AuditedScope } from './audited-scope.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the audit line of an operator's call says besides its route and status. */
    audited: { readonly outcome: string; readonly about: AuditedScope } | null;
  }
}

export interface OperatorCallsOptions {
  readonly logger: Logger;
  /** Whether the caller has the admin token. */
  readonly isOperator: (authorization: string | undefined) => boolean;
}

const NOTHING_SAID = { outcome: 'ok', about: {} };

/** For all routes of a scope. Their responses are not cached. */
export function operatorCalls(app: FastifyInstance, { logger, isOperator }: OperatorCallsOptions): void {
  app.decorateRequest('audited', null);

  function writeLine(request: FastifyRequest, status: number): void {
    const { id, method } = request;
    const { outcome, about } = request.audited ?? NOTHING_SAID;
    logger.info(
      { audit: 'admin', outcome, request_id: id, route: routeOf(request), method, status, ...about },
      'admin',
    );
  }

  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    if (!isOperator(request.headers.authorization)) {
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
}

/** Adds to what the call's audit line will say. */
export function audit(request: FastifyRequest, changes: Partial<NonNullable<FastifyRequest['audited']>>): void {
  request.audited = { ...(request.audited ?? NOTHING_SAID), ...changes };
}

function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? '(none)';
}
