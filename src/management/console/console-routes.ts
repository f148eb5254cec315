// The console on the management listener: pages without scripts on which an operator sees what the admin API says, and does what it can do.
import type { FastifyInstance } from 'fastify';
import { errors } from '../../errors/plugin.ts';
import { Problem } from '../../errors/problems.ts';
import type { Html } from '../../html/html.ts';
import { createActions } from '../admin/actions.ts';
import { type AdminOptions, USAGE_RECORDS_MAX } from '../admin/admin-routes.ts';
import { operatorCalls } from '../admin/operator-calls.ts';
import { readSessionFilter } from '../admin/session-filter.ts';
import { summarise } from '../admin/usage-summary.ts';
import type { ProbesOptions } from '../probes.ts';
import { formBodies } from './form-bodies.ts';
import { isEmbedded, isFromOwnPage } from './own-page.ts';
import { type Page, page } from './page.ts';
import { sendProblemPage } from './problem-page.ts';
import { revocationsPage } from './revocations-page.ts';
import { sessionsPage } from './sessions-page.ts';
import { statusPage } from './status-page.ts';
import { usagePage } from './usage-page.ts';

export interface ConsoleOptions extends AdminOptions, Required<ProbesOptions> {
  readonly onProblem: NonNullable<Parameters<typeof errors>[1]['onProblem']>;
}

/** Nothing is loaded, nothing runs, and forms go nowhere else. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

type Query = Readonly<Record<string, unknown>>;

export async function consoleRoutes(app: FastifyInstance, options: ConsoleOptions): Promise<void> {
  const { token, limits, prices, logger, clients, readiness, details, onProblem } = options;
  const { revocations, allSessions, leases, usage } = limits;
  const actions = createActions(options);
  await app.register(errors, { onProblem, send: sendProblemPage });
  app.addHook('onRequest', async (_request, reply) => {
    // Not `no-referrer`, with which a browser hides where its own forms come from.
    reply.headers({ 'content-security-policy': PAGE_POLICY, 'referrer-policy': 'same-origin' });
  });
  operatorCalls(app, { logger, isOperator: (authorization) => token.isPasswordIn(authorization) });
  app.addHook('onRequest', async ({ method, headers }) => {
    // A browser adds the password to whatever another page makes it send here. A link from there may be followed, but nothing be embedded.
    if (method === 'POST' ? !isFromOwnPage(headers) : isEmbedded(headers))
      throw new Problem(
        'origin_not_allowed',
        'Only the pages of the console may send this. Programs use the admin API.',
      );
  });
  formBodies(app);

  const show = (path: string, render: (query: Query) => Page | Promise<Page>): void => {
    app.get(path, async ({ query }, reply) => {
      const { text }: Html = page(await render(query as Query), path); // the router makes an object
      reply.type('text/html; charset=utf-8');
      return text;
    });
  };
  show('/console', async () => {
    // The rest of the page is needed most while Redis is away.
    const pools = await leases.view().catch((error: unknown) => {
      if (error instanceof Problem) return error;
      throw error;
    });
    return statusPage({ readiness, details: details(), pools, limits: leases.limits });
  });
  show('/console/sessions', async ({ done, ...query }) => {
    const filter = readSessionFilter(withoutEmpty(query));
    return sessionsPage({ list: await allSessions.list(filter), filter, clients, done });
  });
  show('/console/revocations', ({ done, client, subject, token: id }) =>
    revocationsPage({ revocations: revocations.list(), clients, done, wish: { client, subject, token: id } }),
  );
  show('/console/usage', async ({ day }) => usagePage(summarise(await usage.list(USAGE_RECORDS_MAX), prices), day));

  app.post('/console/sessions/end', async (request, reply) => {
    const { id } = request.body as Query; // made by `formBodies`
    if (typeof id !== 'string') throw new Problem('invalid_request', 'The field "id" is missing.');
    await actions.endSession(request, id);
    return reply.redirect('/console/sessions?done=ended', 303);
  });
  app.post('/console/revocations', async (request, reply) => {
    await actions.revoke(request, request.body);
    return reply.redirect('/console/revocations?done=revoked', 303);
  });
  app.post('/console/revocations/restore', async (request, reply) => {
    await actions.restore(request, request.body);
    return reply.redirect('/console/revocations?done=restored', 303);
  });
}

/** A browser sends every field of a form, also those that were left empty. */
function withoutEmpty(query: Query): Query {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''));
}
