// GET /livez and GET /readyz, on both listeners; only the management listener adds details.
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { Problem } from '../errors/problems.ts';
import type { Readiness } from '../listener/readiness.ts';

export interface ProbesOptions {
  readonly readiness: Readiness;
  /** For the operator's listener; nothing of it is secret, and nothing of it is the public's business. */
  readonly details?: () => Readonly<Record<string, unknown>>;
}

const ProbeSchema = Type.Object({ status: Type.String() });

export async function probes(app: FastifyInstance, { readiness, details }: ProbesOptions): Promise<void> {
  const schema = { tags: ['operation'], response: { 200: ProbeSchema } };
  app.get(
    '/livez',
    { schema: { ...schema, operationId: 'live', summary: 'The process runs' } },
    async (_request, reply) => {
      reply.header('cache-control', 'no-store');
      return { status: 'live', ...details?.() };
    },
  );
  app.get(
    '/readyz',
    { schema: { ...schema, operationId: 'ready', summary: 'The replica wants traffic' } },
    async (_request, reply) => {
      reply.header('cache-control', 'no-store');
      if (readiness.state === 'draining') throw new Problem('draining');
      if (readiness.state !== 'ready') throw new Problem('overloaded', 'This replica is still starting.');
      if (readiness.strain !== null) throw new Problem('overloaded');
      return { status: 'ready', ...details?.() };
    },
  );
}
