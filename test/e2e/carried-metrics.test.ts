// What is carried and breaks off, as GET /metrics tells it.
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
