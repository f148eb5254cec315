import { test } from 'tap';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { observeTlsFiles } from '../../src/telemetry/observe-tls-files.ts';

test('TLS files that are renewed, unusable or usable again are logged, and a metric shows whether they are usable', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const logger = createLogger('info', { write: (line: string) => void lines.push(JSON.parse(line)) });
  const redis = observeTlsFiles('redis', logger, metrics);
  const listener = observeTlsFiles('listener', logger, metrics);
  const values = async (): Promise<readonly string[]> =>
    (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('broker_tls_files_unusable{'));
  redis.onFailed('/run/redis.pem is a riddle');
  t.strictSame(await values(), ['broker_tls_files_unusable{use="redis"} 1']);
  redis.onMended();
  t.strictSame(await values(), ['broker_tls_files_unusable{use="redis"} 0']);
  listener.onFailed('so is this');
  redis.onFailed('and this, for a while');
  listener.onRenewed();
  redis.onRenewed();
  t.strictSame(await values(), [
    'broker_tls_files_unusable{use="redis"} 0',
    'broker_tls_files_unusable{use="listener"} 0',
  ]);
  t.match(lines, [
    {
      level: 'error',
      reason: '/run/redis.pem is a riddle',
      msg: 'TLS files for Redis not renewed: the old ones stay in use',
    },
    { level: 'info', msg: 'TLS files for Redis can be used again' },
    { level: 'error', reason: 'so is this', msg: 'certificate not renewed: the old one stays in use' },
    { level: 'error', reason: 'and this, for a while' },
    { level: 'info', msg: 'certificate renewed' },
    { level: 'info', msg: 'TLS files for Redis renewed' },
  ]);
});
