// GET /: the same response as Cartesia's, so that a client's or a monitor's health check works unchanged.
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';

export async function statusRoute(app: FastifyInstance, { version }: { readonly version: string }): Promise<void> {
  const answer = { ok: true, version };
  app.get(
    '/',
    {
      exposeHeadRoute: true,
      schema: {
        operationId: 'status',
        summary: 'Status',
        description: 'The same response as from Cartesia. Needs no credential.',
        tags: ['operation'],
        response: { 200: Type.Object({ ok: Type.Boolean(), version: Type.String() }) },
      },
    },
    async () => answer,
  );
}
