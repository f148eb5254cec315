// The circuit breaker towards Cartesia, in GET /metrics and /livez.
import { test } from 'tap';
import { FAILURES_TO_OPEN } from '../../src/upstream/circuit-breaker.ts';
import { send } from './carried-broker.ts';
import { metricsOf, until } from './limits-answers.ts';
import { startRunningBroker } from './running-broker.ts';

test('the breaker reads as half open once it would try again, even if nobody has called since', async (t) => {
  const { broker, simulator, appKey } = await startRunningBroker(t, { env: { MINT_RATE: 'off' } });
  const state = async (): Promise<readonly unknown[]> => {
    const { upstream } = JSON.parse((await send(`${broker.managementUrl}/livez`)).body.toString());
    const metrics = await metricsOf(broker.managementUrl);
    return [metrics.get('broker_upstream_breaker_state'), upstream.breaker];
  };
  t.strictSame(await state(), [0, 'closed']);
  const fault = simulator.faults.add({ match: {}, action: { type: 'refuse', at: 'request' } });
  for (let i = 0; i < FAILURES_TO_OPEN; i += 1)
    await send(`${broker.url}/access-token`, { credential: appKey, json: {} });
  t.strictSame(await state(), [2, 'open']);
  fault.remove();
  await until(async () => (await state())[0] !== 2);
  t.strictSame(await state(), [1, 'half-open']);
  t.equal((await send(`${broker.url}/access-token`, { credential: appKey, json: {} })).status, 200);
  t.strictSame(await state(), [0, 'closed']);
});
