// Carried responses that break off, in GET /metrics.
import { test } from 'tap';
import { SPEECH, send, startCarrying } from './carried-broker.ts';
import { metricsOf, until } from './limits-answers.ts';

test('an answer that breaks off is counted as such, and not as a slow mint', async (t) => {
  const { broker, simulator, token, logs } = await startCarrying(t);
  simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action: { type: 'reset', afterBodyBytes: 4_096 } });
  const broken = await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
  t.match(broken, { status: 200, isComplete: false });
  t.match(await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH }), {
    status: 200,
    isComplete: true,
  });
  await until(() => logs.filter(({ route }) => route === '/tts/bytes').length === 2);
  const metrics = await metricsOf(broker.managementUrl);
  const of = (name: string): (readonly [string, number])[] => [...metrics].filter(([line]) => line.startsWith(name));
  t.strictSame(of('broker_answers_broken_off_total'), [
    ['broker_answers_broken_off_total{route="/tts/bytes",outcome="upstream_unavailable"}', 1],
  ]);
  t.strictSame(of('broker_upstream_duration_seconds_count'), [], 'nothing was minted at Cartesia');
});

test('a stream that ends with an error of Cartesia is counted, as upstream_error if its code is not in the catalogue', async (t) => {
  const { broker, simulator, token, logs } = await startCarrying(t);
  const counted = async (): Promise<readonly unknown[]> =>
    [...(await metricsOf(broker.managementUrl))].filter(([name]) =>
      name.startsWith('broker_answers_broken_off_total{'),
    );
  for (const [times, problem] of (['concurrency_limited', 'voice_not_found'] as const).entries()) {
    const action = { type: 'error_event', afterEvents: 1, problem } as const;
    simulator.faults.add({ match: { path: '/tts/sse' }, times: 1, action });
    t.match(await send(`${broker.url}/tts/sse`, { credential: token, json: SPEECH }), {
      status: 200,
      isComplete: true,
    });
    await until(() => logs.filter(({ route }) => route === '/tts/sse').length === times + 1);
  }
  t.strictSame(await counted(), [
    ['broker_answers_broken_off_total{route="/tts/sse",outcome="concurrency_limited"}', 1],
    ['broker_answers_broken_off_total{route="/tts/sse",outcome="upstream_error"}', 1],
  ]);
});
