import { test } from 'tap';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { countUsage } from '../../src/usage/count-usage.ts';

test('each unit is counted by client app and endpoint, and zero amounts create no series', async (t) => {
  const metrics = createMetrics();
  const count = countUsage(metrics);
  count('web', '/tts/bytes', { characters: 5, audioBytes: 100, audioSeconds: 0.5 });
  count('web', '/tts/bytes', { characters: 7, audioBytes: 0, audioSeconds: 0 });
  count('kiosk', '/stt', { characters: 0, audioBytes: 0, audioSeconds: 2 });
  count('ios', '/tts/sse', { characters: 1, audioBytes: 1, audioSeconds: 0.1 });
  count('web', '/voices', { characters: 0, audioBytes: 0, audioSeconds: 0 });
  const { values } = await metrics.usage.get();
  t.strictSame(
    values.map(({ labels, value }) => [labels.client, labels.endpoint, labels.unit, value]),
    [
      ['web', '/tts/bytes', 'requests', 2],
      ['web', '/tts/bytes', 'characters', 12],
      ['web', '/tts/bytes', 'audio_seconds', 0.5],
      ['web', '/tts/bytes', 'audio_bytes', 100],
      ['kiosk', '/stt', 'requests', 1],
      ['kiosk', '/stt', 'audio_seconds', 2],
      ['ios', '/tts/sse', 'requests', 1],
      ['ios', '/tts/sse', 'characters', 1],
      ['ios', '/tts/sse', 'audio_seconds', 0.1],
      ['ios', '/tts/sse', 'audio_bytes', 1],
      ['web', '/voices', 'requests', 1],
    ],
  );
});
