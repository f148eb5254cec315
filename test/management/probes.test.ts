// What the probes answer on the public listener, and with details on the operator's.
import Fastify from 'fastify';
import { type Test, test } from 'tap';
import { errors } from '../../src/errors/plugin.ts';
import { noCompilers } from '../../src/listener/no-compilers.ts';
import { createReadiness } from '../../src/listener/readiness.ts';
import { type ProbeDetails, probes } from '../../src/management/probes.ts';
import { emptyRecord } from '../../src/telemetry/request-record.ts';

const DETAILS: ProbeDetails = { upstream: { breaker: 'closed' }, store: 'up' };

async function setUp(t: Test, details?: () => ProbeDetails) {
  const readiness = createReadiness();
  const app = Fastify({ schemaController: noCompilers, exposeHeadRoutes: false });
  t.teardown(() => app.close());
  await app.register(errors);
  app.decorateRequest('record');
  app.addHook('onRequest', async (request) => {
    request.record = emptyRecord();
  });
  await app.register(probes, { readiness, ...(details === undefined ? {} : { details }) });
  return { app, readiness };
}

test('a replica is ready once it has started and while it is neither strained nor draining', async (t) => {
  for (const shown of [null, DETAILS]) {
    const { app, readiness } = await setUp(t, shown === null ? undefined : () => shown);
    const ask = async (url: string) => {
      const answer = await app.inject(url);
      const { request_id: _, doc_url: __, ...said } = answer.json();
      t.equal(answer.headers['cache-control'], 'no-store');
      const head = await app.inject({ method: 'HEAD', url });
      t.strictSame([head.statusCode, head.body], [answer.statusCode, '']);
      return { status: answer.statusCode, said };
    };
    const refused = async (code: string, message?: string) => {
      const { status, said } = await ask('/readyz');
      t.equal(status, 503);
      t.match(said, { error_code: code, source: 'broker', ...(message === undefined ? {} : { message }) });
      t.strictSame(
        [said.upstream, said.store],
        shown === null ? [undefined, undefined] : [shown.upstream, shown.store],
      );
      t.strictSame(await ask('/livez'), { status: 200, said: { status: 'live', ...shown } }, 'it is still live');
    };
    await refused('overloaded', 'This replica is still starting.');
    readiness.set('ready');
    t.strictSame(await ask('/readyz'), { status: 200, said: { status: 'ready', ...shown } });
    for (const strain of ['memory', 'event_loop'] as const) {
      readiness.setStrain(strain);
      await refused('overloaded');
    }
    readiness.setStrain(null);
    t.equal((await ask('/readyz')).status, 200);
    readiness.set('draining');
    await refused('draining');
  }
});

test('the operator is told that a starting replica waits for Redis', async (t) => {
  for (const [store, message] of [
    ['starting', 'This replica is still starting. Redis has not been reached yet.'],
    ['away', 'This replica is still starting.'],
  ] as const) {
    const { app } = await setUp(t, () => ({ ...DETAILS, store }));
    t.equal((await app.inject('/readyz')).json().message, message);
  }
});
