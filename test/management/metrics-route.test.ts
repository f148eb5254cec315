import Fastify from 'fastify';
import { Counter, Registry } from 'prom-client';
import { test } from 'tap';
import { metricsRoute } from '../../src/management/metrics-route.ts';

test('metrics name their format, which Prometheus wants to know, and are kept nowhere', async (t) => {
  const registry = new Registry();
  new Counter({ name: 'seen_total', help: 'Seen.', registers: [registry] }).inc(3);
  const app = Fastify({ exposeHeadRoutes: false });
  t.teardown(() => app.close());
  await app.register(metricsRoute, { registry });
  for (const method of ['GET', 'HEAD'] as const) {
    const { statusCode, headers, body } = await app.inject({ method, url: '/metrics' });
    t.equal(statusCode, 200, method);
    t.match(headers, {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      'cache-control': 'no-store',
    });
    t.equal(body, method === 'HEAD' ? '' : '# HELP seen_total Seen.\n# TYPE seen_total counter\nseen_total 3\n');
  }
});
