// Usage records in Redis: one stream of bounded length, for whoever bills or looks.
import type { UsageRecord, UsageRecords } from '../usage-records.ts';
import { notUnderstood, type RedisLink } from './redis-link.ts';
import { listIn, textIn } from './redis-script.ts';

/** About 230 bytes each. */
const KEPT_MAX = 100_000;

export function createRedisUsageRecords(link: RedisLink, prefix: string): UsageRecords {
  const stream = `${prefix}:usage`;
  return {
    async add(record) {
      await link.command(
        'usage_add',
        'XADD',
        stream,
        'MAXLEN',
        '~',
        String(KEPT_MAX),
        '*',
        'record',
        JSON.stringify(record),
      );
    },
    async list(max) {
      const entries = await link.command('usage_list', 'XREVRANGE', stream, '+', '-', 'COUNT', String(max));
      try {
        return listIn(entries).map(recordIn).reverse();
      } catch {
        throw notUnderstood();
      }
    },
  };
}

/** An entry is its id and its fields; ours has one field, written by `add`. */
function recordIn(entry: unknown): UsageRecord {
  const [, fields] = listIn(entry);
  const [, text] = listIn(fields);
  return JSON.parse(textIn(text)) as UsageRecord;
}
