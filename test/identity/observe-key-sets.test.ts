import { test } from 'tap';
import type { KeySetEvent } from '../../src/identity/jwt/key-set.ts';
import { observeKeySets } from '../../src/identity/observe-key-sets.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

const issuer = 'https://login.example.com';
const loaded = { event: 'key_set_loaded', issuer, keys: 2 } as const;
const failed = { event: 'key_set_failed', issuer, reason: 'timeout' } as const;

test('the log reports changes and their effect, the metric counts every fetch', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const tell = observeKeySets(
    createLogger('info', { write: (line: string) => void lines.push(JSON.parse(line)) }),
    metrics,
  );
  const events: readonly KeySetEvent[] = [
    { ...failed, areKeysKnown: false, isNews: true },
    { ...failed, areKeysKnown: false, isNews: false },
    { ...loaded, isNews: true },
    { ...loaded, isNews: false },
    { ...failed, areKeysKnown: true, isNews: true },
  ];
  for (const event of events) tell(event);
  t.match(lines, [
    { level: 'warn', issuer, reason: 'timeout', msg: /no token of this issuer can be checked/ },
    { level: 'info', issuer, keys: 2, msg: 'key set loaded' },
    { level: 'warn', issuer, reason: 'timeout', msg: /keys known before stay in use/ },
  ]);
  t.equal(lines.length, 3, 'a repeated outcome is logged at debug level');
  const text = await metrics.registry.metrics();
  t.match(text, 'broker_key_set_fetches_total{outcome="failed"} 3');
  t.match(text, 'broker_key_set_fetches_total{outcome="loaded"} 2');
});
