// Budgets in Redis: checked and booked in one run, in windows of Redis' clock.
import type { BookingAnswer, BudgetLine, BudgetStore } from '../budgets.ts';
import { storeKey } from '../store-key.ts';
import { type RedisLink, redisScript } from './redis-link.ts';

/**
 * KEYS: a counter for each line, without its window. ARGV: the amount, `book` or `consume`, then window and limit of each line.
 * The window's beginning is put behind the key here, where the clock is; the hash tag keeps it in the same slot.
 */
const BOOK = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local DAY = 86400000
local function month_start(ms)
  local days = math.floor(ms / DAY) + 719468
  local era_day = days % 146097
  local year = math.floor((era_day - math.floor(era_day / 1460) + math.floor(era_day / 36524)
    - math.floor(era_day / 146096)) / 365)
  local year_day = era_day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * year_day + 2) / 153)
  return (math.floor(ms / DAY) - (year_day - math.floor((153 * month + 2) / 5))) * DAY
end
local function window(name)
  if name == 'month' then
    local start = month_start(now)
    return start, month_start(start + 32 * DAY)
  end
  local length = name == 'hour' and 3600000 or DAY
  local start = math.floor(now / length) * length
  return start, start + length
end
local amount = tonumber(ARGV[1])
local counters, ends, exceeded = {}, {}, nil
for i, key in ipairs(KEYS) do
  local start, finish = window(ARGV[2 * i + 1])
  local limit = tonumber(ARGV[2 * i + 2])
  counters[i], ends[i] = key .. ':' .. string.format('%.0f', start), finish
  local used = tonumber(redis.call('GET', counters[i]) or '0')
  if (amount == 0 and used >= limit) or used + amount > limit then
    exceeded = exceeded or { 'exceeded', i - 1, finish - now }
    if ARGV[2] == 'book' then return exceeded end
  end
end
for i, counter in ipairs(counters) do
  if amount > 0 then
    redis.call('INCRBY', counter, amount)
    redis.call('PEXPIREAT', counter, ends[i] + 3600000)
  end
end
return exceeded or { 'booked', counters }
`);

/** KEYS: a mark that it was done, then counters. ARGV: the difference, and until when a counter that is new lives, milliseconds. */
const SETTLE = redisScript(`
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', 600000) then return 0 end
for i = 2, #KEYS do
  if redis.call('INCRBY', KEYS[i], ARGV[1]) < 0 then redis.call('SET', KEYS[i], '0', 'KEEPTTL') end
  if redis.call('PTTL', KEYS[i]) < 0 then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
end
return 1
`);

/** The longest window and a reserve. */
const KEPT_MS = 32 * 86_400_000;

/** @param prefix before the hash tag */
export function createRedisBudgets(link: RedisLink, prefix: string): BudgetStore {
  const tagged = (shard: string): string => `${prefix}:{${shard === '' ? 'account' : `client:${shard}`}}:budget`;
  async function put(
    how: 'book' | 'consume',
    shard: string,
    lines: readonly BudgetLine[],
    amount: number,
  ): Promise<BookingAnswer> {
    const keys = lines.map(({ name, window }) => `${tagged(shard)}:${storeKey(name, window)}`);
    const args = lines.flatMap(({ window, limit }) => [window, String(limit)]);
    const answer = await link.run(`budget_${how}`, BOOK, keys, [String(amount), how, ...args]);
    const [outcome, second, third] = answer as [string, unknown, unknown]; // the script's
    if (outcome === 'exceeded') return { outcome, line: Number(second), endsInMs: Number(third) };
    return { outcome: 'booked', counters: second as readonly string[] };
  }

  return {
    book: (shard, lines, amount) => put('book', shard, lines, amount),
    consume: (shard, lines, amount) => put('consume', shard, lines, amount),
    async settle(shard, id, counters, by) {
      await link.run(
        'budget_settle',
        SETTLE,
        [`${tagged(shard)}:settled:${id}`, ...(counters as readonly string[])], // made by `put`
        [String(by), String(KEPT_MS)],
      );
    },
  };
}
