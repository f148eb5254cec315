// GET /livez and GET /readyz, on both listeners; only the management listener adds details.
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { sendProblem } from '../errors/plugin.ts';
import { Problem } from '../errors/problems.ts';
import type { Readiness } from '../listener/readiness.ts';

export interface ProbesOptions {
  readonly readiness: Readiness;
  /** For the management listener only: not secret, but none of the public's business. */
  readonly details?: () => ProbeDetails;
}

export interface ProbeDetails {
  /** Health of the connection to Cartesia. */
  readonly upstream: object;
  /** `starting`: not reached yet. */
  readonly store: 'starting' | 'up' | 'away';
}

const ProbeSchema = Type.Object({ status: Type.String() });

export async function probes(app: FastifyInstance, { readiness, details }: ProbesOptions): Promise<void> {
  const schema = { tags: ['operation'], response: { 200: ProbeSchema } };
  app.get(
    '/livez',
    { exposeHeadRoute: true, schema: { ...schema, operationId: 'live', summary: 'Whether the process runs' } },
    async (_request, reply) => {
      reply.header('cache-control', 'no-store');
      return { status: 'live', ...details?.() };
    },
  );
  app.get(
    '/readyz',
    {
      exposeHeadRoute: true,
      schema: { ...schema, operationId: 'ready', summary: 'Whether the replica is ready for traffic' },
    },
    async (_request, reply) => {
      reply.header('cache-control', 'no-store');
      const shown = details?.();
      const problem = unready(readiness, shown);
      if (problem === null) return { status: 'ready', ...shown };
      if (shown === undefined) throw problem;
      return sendProblem(reply, problem, shown);
    },
  );
}

function unready({ state, strain }: Readiness, details: ProbeDetails | undefined): Problem | null {
  if (state === 'draining') return new Problem('draining');
  if (state !== 'ready') {
    const why = details?.store === 'starting' ? ' Redis has not been reached yet.' : '';
    return new Problem('overloaded', `This replica is still starting.${why}`);
  }
  return strain === null ? null : new Problem('overloaded');
}
