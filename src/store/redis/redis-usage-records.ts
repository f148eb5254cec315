// Usage records in Redis: one stream of bounded length, to bill from or to look at.
import { createDebts } from '../debts.ts';
import { mayHaveBeenDone } from '../unanswered.ts';
import type { UsageRecord, UsageRecords } from '../usage-records.ts';
import { notUnderstood, type RedisLink } from './redis-link.ts';
import { listIn, textIn } from './redis-script.ts';

/** About 230 bytes each. */
const KEPT_MAX = 100_000;
/** Most that are read at once: what else this replica asks Redis meanwhile waits behind the reply, and is given up after 100 ms. */
const READ_MAX = 1_000;
/** Most that are kept in memory while Redis does not accept them; the oldest are dropped. */
const OWED_MAX = 10_000;

export function createRedisUsageRecords(link: RedisLink, prefix: string): UsageRecords {
  const stream = `${prefix}:usage`;
  // Repeated after the next record that Redis accepts, not on a timer: it may answer for hours and accept none.
  const debts = createDebts({ max: OWED_MAX, againMs: null });
  link.onReady(debts.pay);

  const append = (text: string): Promise<unknown> =>
    link.command('usage_add', 'XADD', stream, 'MAXLEN', '~', String(KEPT_MAX), '*', 'record', text);

  /** A record that Redis may have stored is not sent again: records have no id by which a second copy could be recognised. */
  async function pay(text: string): Promise<void> {
    try {
      await append(text);
    } catch (error) {
      if (!mayHaveBeenDone(error)) throw error;
    }
  }

  return {
    async add(record) {
      const text = JSON.stringify(record);
      try {
        await append(text);
      } catch (error) {
        if (!mayHaveBeenDone(error)) debts.add(() => pay(text));
        throw error;
      }
      if (debts.open > 0) debts.pay();
    },
    async list(max) {
      const records: UsageRecord[] = [];
      /** Id of the oldest entry so far. The next reply begins with it, as not every Redis can leave it out. */
      let oldest = '+';
      while (records.length < max) {
        const count = Math.min(READ_MAX, max - records.length + 1);
        const found = await link.command('usage_list', 'XREVRANGE', stream, oldest, '-', 'COUNT', String(count));
        const entries = entriesIn(found);
        for (const { id, record } of entries) if (id !== oldest && records.length < max) records.push(record);
        const last = entries.at(-1);
        if (last === undefined || last.id === oldest || entries.length < count) break;
        oldest = last.id;
      }
      return records.reverse();
    },
  };
}

interface Entry {
  readonly id: string;
  readonly record: UsageRecord;
}

/** @throws Problem `store_unavailable` */
function entriesIn(answer: unknown): readonly Entry[] {
  try {
    return listIn(answer).map(entryIn);
  } catch {
    throw notUnderstood();
  }
}

/** An entry is its id and its fields; ours has one field, written by `add`. */
function entryIn(entry: unknown): Entry {
  const [id, fields] = listIn(entry);
  const [, text] = listIn(fields);
  return { id: textIn(id), record: JSON.parse(textIn(text)) as UsageRecord };
}
