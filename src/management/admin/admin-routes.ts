// The admin API on the management listener: revocations, open sessions, leases and usage. Every call is audited.
import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/config.ts';
import type { Limits } from '../../limits/limits.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type ActionsOptions, createActions } from './actions.ts';
import type { AdminToken } from './admin-token.ts';
import { poolLines, revocationLine, sessionLine } from './listings.ts';
import { operatorCalls } from './operator-calls.ts';
import { readSessionFilter } from './session-filter.ts';
import { summarise } from './usage-summary.ts';

export interface AdminOptions extends ActionsOptions {
  readonly token: AdminToken;
  readonly limits: Limits;
  readonly prices: Config['usage']['prices'];
  readonly logger: Logger;
}

/** Most records read for a summary; about as many as Redis keeps. */
export const USAGE_RECORDS_MAX = 100_000;

export async function adminRoutes(app: FastifyInstance, options: AdminOptions): Promise<void> {
  const { token, limits, prices, logger } = options;
  const { revocations, allSessions, leases, usage } = limits;
  const actions = createActions(options);
  operatorCalls(app, { logger, isOperator: (authorization) => token.isIn(authorization) });

  const revoked = (): object => ({ revocations: revocations.list().map(revocationLine) });
  app.get('/admin/revocations', async () => revoked());
  app.post('/admin/revocations', async (request, reply) => {
    await actions.revoke(request, request.body);
    return reply.code(201).send(revoked());
  });
  app.post('/admin/revocations/restore', async (request) => {
    await actions.restore(request, request.body);
    return revoked();
  });

  app.get('/admin/sessions', async (request) => {
    const { sessions, leftOut, silent } = await allSessions.list(readSessionFilter(request.query));
    return { sessions: sessions.map(sessionLine), left_out: leftOut, silent_replicas: silent };
  });
  app.delete('/admin/sessions/:id', async (request) => {
    const { id } = request.params as { readonly id: string }; // the route declares it
    await actions.endSession(request, id);
    return { killed: id };
  });

  app.get('/admin/leases', async () => {
    const pools = Object.entries(await leases.view());
    return { leases: Object.fromEntries(pools.map(([kind, pool]) => [kind, poolLines(pool)])) };
  });
  app.get('/admin/usage', async () => ({ usage: summarise(await usage.list(USAGE_RECORDS_MAX), prices) }));
}
