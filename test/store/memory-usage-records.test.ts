import { test } from 'tap';
import { createMemoryUsageRecords } from '../../src/store/memory-usage-records.ts';
import type { UsageRecord } from '../../src/store/usage-records.ts';

const record = (atMs: number): UsageRecord => ({
  atMs,
  client: 'web',
  subject: 'ann',
  endpoint: '/tts/bytes',
  requests: 1,
  characters: 5,
  spokenSeconds: 1,
  audioSeconds: 0,
  callSeconds: 0,
});

test('the newest records are listed in order of time; the oldest are dropped', async (t) => {
  const records = createMemoryUsageRecords(3);
  const listed = async (count: number): Promise<number[]> => (await records.list(count)).map(({ atMs }) => atMs);
  t.strictSame(await listed(5), []);
  for (const [at, expected] of [[1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7]].entries()) {
    await records.add(record(at + 1));
    t.strictSame(await listed(5), expected);
  }
  t.strictSame(await listed(2), [6, 7]);
  t.strictSame(await records.list(1), [record(7)], 'as it was added');
});
