import { test } from 'tap';
import { createMemoryUsageRecords } from '../../src/store/memory-usage-records.ts';
import { type Consumed, recordUsage } from '../../src/usage/record-usage.ts';

const CONSUMED: Consumed = { requests: 1, characters: 12, audioSeconds: 3.5, callSeconds: 7 };
const consumer = (path: string, concurrency: string) => ({
  client: 'web',
  subject: 'ann',
  endpoint: { path, concurrency },
});

test('a record has consumer, endpoint, amounts and time; audio seconds are either spoken or transcribed', async (t) => {
  const records = createMemoryUsageRecords();
  const before = Date.now();
  recordUsage(records, consumer('/tts/bytes', 'tts'), CONSUMED);
  recordUsage(records, consumer('/stt', 'stt'), { ...CONSUMED, requests: 0 });
  const kept = await records.list(2);
  const common = { client: 'web', subject: 'ann', characters: 12, callSeconds: 7 };
  t.strictSame(
    kept.map(({ atMs: _atMs, ...rest }) => rest),
    [
      { ...common, endpoint: '/tts/bytes', requests: 1, spokenSeconds: 3.5, audioSeconds: 0 },
      { ...common, endpoint: '/stt', requests: 0, spokenSeconds: 0, audioSeconds: 3.5 },
    ],
  );
  t.ok(kept.every(({ atMs }) => atMs >= before && atMs <= Date.now()));
});

test('a record that cannot be stored disturbs nothing', async (t) => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const add = async (): Promise<void> => {
    ask();
    throw new Error('the store is away');
  };
  recordUsage({ add, list: async () => [] }, consumer('/stt', 'stt'), CONSUMED);
  await t.resolves(asked);
  await new Promise(setImmediate); // by now an unhandled rejection would have ended the process
});
