import { test } from 'tap';
import { summarise } from '../../../src/management/admin/usage-summary.ts';
import type { UsageRecord } from '../../../src/store/usage-records.ts';

const NO_PRICES = { characters: null, audioSeconds: null, callSeconds: null };
const MORNING = Date.UTC(2026, 10, 22, 0, 0);
const EVENING = Date.UTC(2026, 10, 22, 23, 59, 59, 999);

const used = (atMs: number, client: string, subject: string, more: Partial<UsageRecord> = {}): UsageRecord => ({
  atMs,
  client,
  subject,
  endpoint: '/tts/bytes',
  requests: 1,
  characters: 0,
  spokenSeconds: 0,
  audioSeconds: 0,
  callSeconds: 0,
  ...more,
});

test('there is one line per day, client app and subject, in that order, with everything used', async (t) => {
  const records = [
    used(MORNING, 'web', 'bob', { characters: 1 }),
    used(EVENING + 1, 'web', 'ann', { characters: 7 }),
    used(MORNING, 'web', 'ann', { characters: 10, spokenSeconds: 0.1, audioSeconds: 0.1, callSeconds: 0.1 }),
    used(EVENING, 'web', 'ann', {
      requests: 2,
      characters: 5,
      spokenSeconds: 0.2,
      audioSeconds: 0.2,
      callSeconds: 0.2,
    }),
    used(MORNING, 'ios', 'ann', { audioSeconds: 1 / 3 }),
  ];
  const none = { requests: 1, characters: 0, spoken_seconds: 0, audio_seconds: 0, call_seconds: 0, cost: null };
  t.strictSame(summarise(records, NO_PRICES), [
    { day: '2026-11-22', client: 'ios', subject: 'ann', ...none, audio_seconds: 0.333333 },
    {
      day: '2026-11-22',
      client: 'web',
      subject: 'ann',
      requests: 3,
      characters: 15,
      spoken_seconds: 0.3,
      audio_seconds: 0.3,
      call_seconds: 0.3,
      cost: null,
    },
    { day: '2026-11-22', client: 'web', subject: 'bob', ...none, characters: 1 },
    { day: '2026-11-23', client: 'web', subject: 'ann', ...none, characters: 7 },
  ]);
});

test('names with commas do not merge lines', async (t) => {
  t.equal(summarise([used(MORNING, 'a', 'b,c'), used(MORNING, 'a,b', 'c')], NO_PRICES).length, 2);
});

test('the cost counts only what has a price', async (t) => {
  const record = used(MORNING, 'web', 'ann', {
    characters: 200_000,
    spokenSeconds: 9,
    audioSeconds: 1_800,
    callSeconds: 900,
  });
  const costWith = (prices: Partial<Record<keyof typeof NO_PRICES, number>>) =>
    summarise([record], { ...NO_PRICES, ...prices })[0]?.cost;
  t.equal(costWith({}), null);
  t.equal(costWith({ characters: 50 }), 10);
  t.equal(costWith({ audioSeconds: 0.36 }), 0.18);
  t.equal(costWith({ callSeconds: 4 }), 1);
  t.equal(costWith({ characters: 50, audioSeconds: 0.36, callSeconds: 4 }), 11.18);
});
