// Carried responses in GET /metrics and in the log: those that break off, and how long Cartesia took to begin.
import { test } from 'tap';
import { lineOf, SPEECH, send, startCarrying } from './carried-broker.ts';
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

test('an answer that stops coming is counted as late', async (t) => {
  const { broker, token, logs } = await startCarrying(t, {
    simulator: { settings: { latency: { perChunkMs: 60_000 } } },
    seams: { carrying: { deadlines: { idleMs: 300 } } },
  });
  for (const path of ['/tts/bytes', '/tts/sse']) {
    const late = send(`${broker.url}${path}`, { credential: token, json: SPEECH });
    await until(() => broker.carried === 1);
    t.equal((await send(`${broker.url}/voices`, { credential: token })).status, 200, 'another one ends before it');
    t.equal((await late).status, 200);
  }
  await until(() => logs.filter(({ outcome }) => outcome === 'upstream_timeout').length === 2);
  t.strictSame(
    [...(await metricsOf(broker.managementUrl))].filter(([name]) =>
      name.startsWith('broker_answers_broken_off_total{'),
    ),
    ['/tts/bytes', '/tts/sse'].map((route) => [
      `broker_answers_broken_off_total{route="${route}",outcome="upstream_timeout"}`,
      1,
    ]),
  );
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

test('the log says how long Cartesia took to begin the answer, not how long that lasted', async (t) => {
  const running = await startCarrying(t, { simulator: { settings: { latency: { perChunkMs: 100 } } } });
  const { status } = await send(`${running.broker.url}/tts/bytes`, { credential: running.token, json: SPEECH });
  t.equal(status, 200);
  const { ms, upstream_ms: upstreamMs } = await lineOf(running, '/tts/bytes');
  t.ok(Number(ms) - Number(upstreamMs) > 300, `${upstreamMs} of ${ms} ms`);
});

test('the line of a request that was tried again tells of the last attempt', async (t) => {
  const running = await startCarrying(t, {
    env: { TTS_CONCURRENCY: '1' },
    seams: { carrying: { deadlines: { headMs: 500 }, lookMs: 10 } },
  });
  const { broker, simulator, token } = running;
  simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action: { type: 'answer', status: 429 } });
  simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action: { type: 'hang' } });
  t.equal((await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH })).status, 504);
  t.equal(simulator.journal.entries({ path: '/tts/bytes' }).length, 2);
  const line = await lineOf(running, '/tts/bytes');
  t.match(line, { outcome: 'upstream_timeout', upstream_request_id: undefined });
  t.ok(Number(line['upstream_ms']) > 450, `${line['upstream_ms']} ms`);
});
