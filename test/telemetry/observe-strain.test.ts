import { test } from 'tap';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { observeStrain } from '../../src/telemetry/observe-strain.ts';

test('the metric is 1 for the current reason and 0 for all others, and the log says when strain begins and ends', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const observe = observeStrain(createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) }), metrics);
  const shown = async () =>
    Object.fromEntries((await metrics.overloaded.get()).values.map(({ labels, value }) => [labels.reason, value]));
  t.strictSame(await shown(), { memory: 0, event_loop: 0 });
  observe('memory');
  t.strictSame(await shown(), { memory: 1, event_loop: 0 });
  observe('event_loop');
  t.strictSame(await shown(), { memory: 0, event_loop: 1 });
  observe(null);
  t.strictSame(await shown(), { memory: 0, event_loop: 0 });
  t.match(lines, [
    { level: 'warn', reason: 'memory', msg: 'overloaded' },
    { level: 'warn', reason: 'event_loop', msg: 'overloaded' },
    { level: 'info', msg: 'no longer overloaded' },
  ]);
});
