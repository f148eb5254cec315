import Fastify from 'fastify';
import { test } from 'tap';
import { errors } from '../../src/errors/plugin.ts';
import { createReadiness } from '../../src/listener/readiness.ts';
import { shedWithoutMemory } from '../../src/listener/shedding.ts';
import { emptyRecord } from '../../src/telemetry/request-record.ts';

test('a request is refused while there is no memory for it, and told when to retry; any other strain refuses nothing', async (t) => {
  const readiness = createReadiness();
  const app = Fastify();
  t.teardown(() => app.close());
  await app.register(errors);
  app.decorateRequest('record');
  app.addHook('onRequest', async (request) => {
    request.record = emptyRecord();
  });
  app.get('/', { onRequest: shedWithoutMemory(readiness) }, async () => 'served');
  for (const [strain, status, retryAfter] of [
    [null, 200, undefined],
    ['event_loop', 200, undefined],
    ['memory', 503, '2'],
    [null, 200, undefined],
  ] as const) {
    readiness.setStrain(strain);
    const { statusCode, headers, body } = await app.inject('/');
    t.strictSame([statusCode, headers['retry-after']], [status, retryAfter], String(strain));
    t.match(body, status === 200 ? /^served$/ : /"error_code":"overloaded"/);
  }
});
