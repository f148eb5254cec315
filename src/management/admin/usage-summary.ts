// Sums usage by day, client app and subject, with its cost. Pure.
import type { Config } from '../../config/config.ts';
import type { UsageRecord } from '../../store/usage-records.ts';

export interface UsageLine {
  /** UTC, `2026-11-22`. */
  readonly day: string;
  readonly client: string;
  readonly subject: string;
  /** Requests and sockets. */
  readonly requests: number;
  readonly characters: number;
  /** Length of generated speech, which is billed by characters. */
  readonly spoken_seconds: number;
  /** Length of transcribed audio. */
  readonly audio_seconds: number;
  readonly call_seconds: number;
  /** In the currency of the prices; `null` where none is set. */
  readonly cost: number | null;
}

type Prices = Config['usage']['prices'];
type Sum = { -readonly [K in keyof UsageLine]: UsageLine[K] };

/** Sorted by day, then by client app and subject. */
export function summarise(records: readonly UsageRecord[], prices: Prices): readonly UsageLine[] {
  const sums = new Map<string, Sum>();
  for (const { atMs, client, subject, ...used } of records) {
    const day = new Date(atMs).toISOString().slice(0, 10);
    const key = JSON.stringify([day, client, subject]);
    const sum = sums.get(key) ?? {
      day,
      client,
      subject,
      requests: 0,
      characters: 0,
      spoken_seconds: 0,
      audio_seconds: 0,
      call_seconds: 0,
      cost: null,
    };
    sum.requests += used.requests;
    sum.characters += used.characters;
    sum.spoken_seconds += used.spokenSeconds;
    sum.audio_seconds += used.audioSeconds;
    sum.call_seconds += used.callSeconds;
    sums.set(key, sum);
  }
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, sum]) => ({
      ...sum,
      spoken_seconds: round(sum.spoken_seconds),
      audio_seconds: round(sum.audio_seconds),
      call_seconds: round(sum.call_seconds),
      cost: costOf(sum, prices),
    }));
}

function costOf(sum: Sum, prices: Prices): number | null {
  const { characters, audioSeconds, callSeconds } = prices;
  if (characters === null && audioSeconds === null && callSeconds === null) return null;
  return round(
    ((characters ?? 0) * sum.characters) / MILLION +
      ((audioSeconds ?? 0) * sum.audio_seconds) / SECONDS_PER_HOUR +
      ((callSeconds ?? 0) * sum.call_seconds) / SECONDS_PER_HOUR,
  );
}

const MILLION = 1_000_000;
const SECONDS_PER_HOUR = 3_600;
const round = (value: number): number => Math.round(value * 1_000_000) / 1_000_000;
