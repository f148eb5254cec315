// GET /metrics in Prometheus' text format, on the management listener.
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';

export async function metricsRoute(app: FastifyInstance, { registry }: { readonly registry: Registry }): Promise<void> {
  app.get('/metrics', { exposeHeadRoute: true }, async (_request, reply) => {
    reply.type(registry.contentType).header('cache-control', 'no-store');
    return registry.metrics();
  });
}
