// Budgets in Redis: checked and booked in one run of a script, in windows by Redis' clock.
import type { BookingAnswer, BudgetAsk, BudgetStore } from '../budgets.ts';
import { storeKey } from '../store-key.ts';
import type { RedisLink } from './redis-link.ts';
import {
  listIn,
  NotUnderstood,
  never,
  nothing,
  numberIn,
  type RedisScript,
  redisScript,
  textsIn,
} from './redis-script.ts';

/** How long a booking or a correction is remembered by its id. A caller that missed the answer repeats it sooner, if Redis is usable. */
const KNOWN_MS = 120_000;

/**
 * KEYS: the mark of the booking, then the counter of each line, without its window. ARGV: the amount, `book`, `consume` or `withdraw`,
 * then window and limit of each line.
 * The script appends the start of the window to the key, since it has the clock; the hash tag keeps the key in the same slot.
 * The mark holds `withdrawn`, or the time of the booking, so that the same windows are found again.
 */
const BOOKING = `
local amount, how, MARK = tonumber(ARGV[1]), ARGV[2], KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mark = redis.call('GET', MARK)
local at = mark and mark ~= 'withdrawn' and tonumber(mark) or now
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
    local start = month_start(at)
    return start, month_start(start + 32 * DAY)
  end
  local length = name == 'hour' and 3600000 or DAY
  local start = math.floor(at / length) * length
  return start, start + length
end
local counters, ends, exceeded = {}, {}, nil
for i = 2, #KEYS do
  local line = i - 1
  local start, finish = window(ARGV[2 * line + 1])
  local limit = tonumber(ARGV[2 * line + 2])
  counters[line], ends[line] = KEYS[i] .. ':' .. string.format('%.0f', start), finish
  if not mark and how ~= 'withdraw' then
    local used = tonumber(redis.call('GET', counters[line]) or '0')
    if (amount == 0 and used >= limit) or used + amount > limit then
      exceeded = exceeded or { 'exceeded', line - 1, finish - now }
      if how == 'book' then return exceeded end
    end
  end
end
if how == 'withdraw' then
  redis.call('SET', MARK, 'withdrawn', 'PX', ${KNOWN_MS})
  if not mark or mark == 'withdrawn' then return { 'withdrawn' } end
  for _, counter in ipairs(counters) do
    if redis.call('EXISTS', counter) == 1 and redis.call('DECRBY', counter, amount) < 0 then
      redis.call('SET', counter, '0', 'KEEPTTL')
    end
  end
  return { 'withdrawn' }
end
if amount > 0 and not mark then
  redis.call('SET', MARK, string.format('%.0f', now), 'PX', ${KNOWN_MS})
  for line, counter in ipairs(counters) do
    redis.call('INCRBY', counter, amount)
    redis.call('PEXPIREAT', counter, ends[line] + 3600000)
  end
end
return exceeded or { 'booked', counters }
`;

const BOOK = redisScript(BOOKING, {
  read(answer): BookingAnswer {
    const [outcome, second, third] = listIn(answer);
    if (outcome === 'exceeded') return { outcome, line: numberIn(second), endsInMs: numberIn(third) };
    if (outcome === 'booked') return { outcome, counters: textsIn(second) };
    throw new NotUnderstood('no outcome');
  },
  hasWritten: ({ outcome }) => outcome === 'booked', // a refused `book` has written nothing
});
/** Books nothing, only checks whether anything is left. */
const LOOK = { ...BOOK, hasWritten: never };
const WITHDRAW = redisScript(BOOKING, { read: nothing });

/** KEYS: the mark of the correction, then counters. ARGV: the difference, and the life of a counter that is new, milliseconds. */
const SETTLE = redisScript(
  `
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ${KNOWN_MS}) then return 0 end
for i = 2, #KEYS do
  if redis.call('INCRBY', KEYS[i], ARGV[1]) < 0 then redis.call('SET', KEYS[i], '0', 'KEEPTTL') end
  if redis.call('PTTL', KEYS[i]) < 0 then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
end
return 1
`,
  { read: nothing },
);

/** The longest window and a margin. */
const KEPT_MS = 32 * 86_400_000;

/** @param prefix before the hash tag */
export function createRedisBudgets(link: RedisLink, prefix: string): BudgetStore {
  const tagged = (shard: string): string => `${prefix}:{${shard === '' ? 'account' : `client:${shard}`}}:budget`;
  function run<Answer>(
    script: RedisScript<Answer>,
    how: 'book' | 'consume' | 'withdraw',
    shard: string,
    ask: BudgetAsk,
  ): Promise<Answer> {
    const { id, lines, subject, amount } = ask;
    const keys = lines.map(
      ({ name, isOfSubject }) => `${tagged(shard)}:${isOfSubject ? storeKey(name, subject) : storeKey(name)}`,
    );
    const args = lines.flatMap(({ window, limit }) => [window, String(limit)]);
    return link.run(
      `budget_${how}`,
      script,
      [`${tagged(shard)}:booked:${id}`, ...keys],
      [String(amount), how, ...args],
    );
  }

  return {
    book: (shard, ask) => run(ask.amount > 0 ? BOOK : LOOK, 'book', shard, ask),
    consume: (shard, ask) => run(BOOK, 'consume', shard, ask),
    withdraw: (shard, ask) => run(WITHDRAW, 'withdraw', shard, ask),
    async settle(shard, id, counters, by) {
      await link.run(
        'budget_settle',
        SETTLE,
        [`${tagged(shard)}:settled:${id}`, ...(counters as readonly string[])], // made by `book`
        [String(by), String(KEPT_MS)],
      );
    },
  };
}
