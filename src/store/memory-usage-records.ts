// The usage records of a single replica: a ring.
import type { UsageRecord, UsageRecords } from './usage-records.ts';

const KEPT_MAX = 10_000;

export function createMemoryUsageRecords(max = KEPT_MAX): UsageRecords {
  const ring: UsageRecord[] = [];
  let oldest = 0;
  return {
    async add(record) {
      if (ring.length < max) ring.push(record);
      else {
        ring[oldest] = record;
        oldest = (oldest + 1) % max;
      }
    },
    async list(count) {
      return [...ring.slice(oldest), ...ring.slice(0, oldest)].slice(-count);
    },
  };
}
