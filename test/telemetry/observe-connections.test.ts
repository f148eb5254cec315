import { test } from 'tap';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { observeConnections } from '../../src/telemetry/observe-connections.ts';

test('each rejected client is counted, and logged at most once a minute', async (t) => {
  const clock = { now: 5_000 };
  t.intercept(performance, 'now', { value: () => clock.now });
  const lines: string[] = [];
  const metrics = createMetrics();
  const turnedAway = observeConnections(createLogger('info', { write: (line) => void lines.push(line) }), metrics);
  for (const [afterMs, told] of [
    [0, 1],
    [1, 1],
    [59_998, 1],
    [1, 2],
    [59_999, 2],
  ] as const) {
    clock.now += afterMs;
    turnedAway(100);
    t.equal(lines.length, told);
  }
  t.match(JSON.parse(lines[0] ?? ''), { level: 'warn', connections_max: 100 });
  t.match((await metrics.connectionsTurnedAway.get()).values, [{ value: 5 }]);
});
