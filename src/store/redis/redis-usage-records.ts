// Usage records in Redis: one stream of bounded length, for whoever bills or looks.
import { mayHaveBeenDone } from '../unanswered.ts';
import type { UsageRecord, UsageRecords } from '../usage-records.ts';
import { notUnderstood, type RedisLink } from './redis-link.ts';
import { listIn, textIn } from './redis-script.ts';

/** About 230 bytes each. */
const KEPT_MAX = 100_000;
/** Kept here while Redis does not take them; the oldest give way. */
const OWED_MAX = 10_000;
/** At a time: whoever is back has others to serve. */
const AT_ONCE = 100;

export function createRedisUsageRecords(link: RedisLink, prefix: string): UsageRecords {
  const stream = `${prefix}:usage`;
  let owed: string[] = [];
  let isPaying = false;

  /** What Redis may have done is not said again: a record has no name by which it would be known. */
  async function append(text: string): Promise<void> {
    try {
      await link.command('usage_add', 'XADD', stream, 'MAXLEN', '~', String(KEPT_MAX), '*', 'record', text);
    } catch (error) {
      if (!mayHaveBeenDone(error)) owed.push(text);
      if (owed.length > OWED_MAX) owed = owed.slice(-OWED_MAX);
      throw error;
    }
  }

  /** Ends with the first that fails: what comes behind it would fail too. */
  async function pay(): Promise<void> {
    if (isPaying) return;
    isPaying = true;
    while (owed.length > 0) {
      const some = owed.splice(0, AT_ONCE);
      const results = await Promise.allSettled(some.map(append));
      if (results.some(({ status }) => status === 'rejected')) break;
    }
    isPaying = false;
  }
  link.onReady(() => void pay());

  return {
    async add(record) {
      await append(JSON.stringify(record));
      // It takes again what it has refused for a while.
      if (owed.length > 0) void pay();
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
