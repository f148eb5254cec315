import { test } from 'tap';
import { observeStore } from '../../src/store/observe-store.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

test('completed calls are timed, failed and skipped ones are counted, and condition changes are logged', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const logger = createLogger('info', { write: (line: string) => void lines.push(JSON.parse(line)) });
  const { onCall, onCondition } = observeStore(logger, metrics.limits);
  for (const outcome of ['ok', 'timeout', 'failed', 'not_connected', 'left_alone'] as const)
    onCall({ call: 'budget_book', outcome, durationMs: 500 });
  const text = await metrics.registry.metrics();
  t.match(text, 'broker_store_call_duration_seconds_count{call="budget_book"} 3');
  t.match(text, 'broker_store_call_duration_seconds_sum{call="budget_book"} 1.5');
  for (const reason of ['timeout', 'failed', 'not_connected', 'left_alone'])
    t.match(text, `broker_store_failures_total{call="budget_book",reason="${reason}"} 1`);
  t.notMatch(text, 'reason="ok"');

  onCondition({ state: 'away', reason: 'refused' });
  onCondition({ state: 'up', reason: 'evicts' });
  onCondition({ state: 'up', reason: null });
  t.match(lines, [
    { level: 'warn', store: 'away', reason: 'refused', msg: 'Redis is not reached' },
    { level: 'warn', store: 'up', reason: 'evicts', msg: 'Redis is only partly usable' },
    { level: 'info', store: 'up', msg: 'Redis is reached' },
  ]);
  t.equal(lines.length, 3);
});
