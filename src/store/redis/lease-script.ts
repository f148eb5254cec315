// The pool of leases as a script that Redis runs whole: the rules of ../lease-table.ts, with Redis' clock.
// Named entries with an expiry; the counts beside them change only with the entry, in the same run.
//
// KEYS 1 about the pool   hash  epoch, warm, seen, order, hold, low, low_until
//      2 leases           zset  id -> expiry
//      3 holders          hash  id -> [client, subject, owner, granted]
//      4 counts           hash  how many a client app (c) and a subject (s) hold, how many of a subject wait (w)
//      5 queue            zset  id -> until when it waits
//      6 waiters          hash  id -> [client, subject, owner, client max, subject max, weight, order]
//      7 turns            hash  floors and turns taken of client apps and subjects
// ARGV 1 operation, 2 what the pool is (JSON, see poolArgument), 3 what the operation is about (JSON)
import { HOLD_GUESS_MS, HOLD_SHARE } from '../lease-rules.ts';

/** Number of keys that the script takes. */
export const LEASE_KEYS = ['pool', 'leases', 'holders', 'counts', 'queue', 'waiters', 'turns'] as const;

/** Nobody was heard of for longer than this: it was the store that stood still, and every holder gets the grace to say so. */
export const STILL_MS = 5_000;
export const GRACE_MS = 4_000;

/** Most that one call drops: so many at a time that a replica with thousands has died does not stop Redis. The rest still counts. */
const EXPIRED_MAX = 500;

/** What is left behind by a deployment that is gone. */
const FORGET_MS = 3_600_000;

export const LEASE_SCRIPT = `
local POOL, LEASES, HOLDERS, COUNTS, QUEUE, WAITERS, TURNS = unpack(KEYS)
local op, rules, ask = ARGV[1], cjson.decode(ARGV[2]), cjson.decode(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local about = {}
do
  local flat = redis.call('HGETALL', POOL)
  for i = 1, #flat, 2 do about[flat[i]] = flat[i + 1] end
end
if not about.epoch then
  about.epoch = now .. '-' .. redis.call('TIME')[2]
  about.warm = now + rules.warm
  redis.call('HSET', POOL, 'epoch', about.epoch, 'warm', about.warm)
end
if about.seen and now - about.seen > ${STILL_MS} then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now + ${GRACE_MS})) do
    redis.call('ZADD', LEASES, now + ${GRACE_MS}, id)
  end
end
if not about.seen or now - about.seen > 100 then redis.call('HSET', POOL, 'seen', now) end

local counts = {}
local function count(name)
  if counts[name] == nil then counts[name] = tonumber(redis.call('HGET', COUNTS, name) or '0') end
  return counts[name]
end
local function add(name, by)
  local is = redis.call('HINCRBY', COUNTS, name, by)
  if is == 0 then redis.call('HDEL', COUNTS, name) end
  counts[name] = is
end
local function flow(client, subject) return #client .. ':' .. client .. subject end

local function grant(id, client, subject, owner, expiry)
  redis.call('ZADD', LEASES, expiry, id)
  redis.call('HSET', HOLDERS, id, cjson.encode({ client, subject, owner, now }))
  add('c' .. client, 1)
  add('s' .. flow(client, subject), 1)
end
local function drop_lease(id)
  local text = redis.call('HGET', HOLDERS, id)
  redis.call('ZREM', LEASES, id)
  if not text then return nil end
  redis.call('HDEL', HOLDERS, id)
  local holder = cjson.decode(text)
  add('c' .. holder[1], -1)
  add('s' .. flow(holder[1], holder[2]), -1)
  return holder
end
local function drop_waiter(id)
  local text = redis.call('HGET', WAITERS, id)
  redis.call('ZREM', QUEUE, id)
  if not text then return end
  redis.call('HDEL', WAITERS, id)
  local waiter = cjson.decode(text)
  add('w' .. flow(waiter[1], waiter[2]), -1)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, ${EXPIRED_MAX})) do drop_lease(id) end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', QUEUE, '-inf', now, 'LIMIT', 0, ${EXPIRED_MAX})) do drop_waiter(id) end

local limit = rules.limit
local low = nil
if about.low_until and tonumber(about.low_until) > now then low = tonumber(about.low) end
if limit >= 0 and low then limit = math.min(limit, low) end
local is_warming = now < tonumber(about.warm)

local function is_full() return is_warming or (limit >= 0 and redis.call('ZCARD', LEASES) >= limit) end
local function is_free(client, subject, client_max, subject_max)
  local of_client = count('c' .. client)
  if client_max >= 0 and of_client >= client_max then return false end
  if subject_max >= 0 and count('s' .. flow(client, subject)) >= subject_max then return false end
  if is_warming then return false end
  if limit < 0 then return true end
  local total = redis.call('ZCARD', LEASES)
  if total >= limit then return false end
  local kept, own = 0, 0
  for _, pair in ipairs(rules.reserved) do
    if pair[1] == client then own = pair[2]
    else kept = kept + math.max(0, pair[2] - count('c' .. pair[1])) end
  end
  if of_client < own then return true end
  return limit - total - kept >= 1
end

local turns = {}
local function turn(name)
  if turns[name] == nil then turns[name] = tonumber(redis.call('HGET', TURNS, name) or '0') end
  return turns[name]
end
local function set_turn(name, value)
  turns[name] = value
  redis.call('HSET', TURNS, name, string.format('%.17g', value))
end
local function turns_taken(floor, name) return math.max(turn(floor), turn(name)) end
local function take_turn(floor, name, cost)
  local taken = turns_taken(floor, name)
  set_turn(floor, taken)
  set_turn(name, taken + cost)
end

-- One call for up to a thousand names: with hundreds that wait, a call for each would be most of the time.
local function load(key, cache, names)
  for first = 1, #names, 1000 do
    local last = math.min(first + 999, #names)
    local values = redis.call('HMGET', key, unpack(names, first, last))
    for i = first, last do cache[names[i]] = tonumber(values[i - first + 1] or '0') end
  end
end

local function serve()
  if redis.call('ZCARD', QUEUE) == 0 then redis.call('DEL', TURNS) return end
  if is_full() then return end
  local waiters = {}
  local flat = redis.call('HGETALL', WAITERS)
  local wanted = { turns = {}, counts = {} }
  local function want(list, cache, name)
    if cache[name] ~= nil then return end
    cache[name] = 0
    list[#list + 1] = name
  end
  want(wanted.turns, turns, 'V')
  for i = 1, #flat, 2 do
    local w = cjson.decode(flat[i + 1])
    local one = { id = flat[i], client = w[1], subject = w[2], owner = w[3], client_max = w[4], subject_max = w[5],
      weight = w[6], order = w[7], floor = 'v' .. w[1], of_client = 'c' .. w[1], of_subject = 's' .. flow(w[1], w[2]) }
    waiters[#waiters + 1] = one
    want(wanted.turns, turns, one.floor)
    want(wanted.turns, turns, one.of_client)
    want(wanted.turns, turns, one.of_subject)
    want(wanted.counts, counts, one.of_client)
    want(wanted.counts, counts, one.of_subject)
  end
  load(TURNS, turns, wanted.turns)
  load(COUNTS, counts, wanted.counts)
  while #waiters > 0 and not is_full() do
    local best, at, best_a, best_b, best_c = nil, nil, 0, 0, 0
    for i, w in ipairs(waiters) do
      local a, b, c = turns_taken('V', w.of_client), turns_taken(w.floor, w.of_subject), count(w.of_subject)
      local is_before = best == nil or a < best_a or (a == best_a and (b < best_b or (b == best_b and
        (c < best_c or (c == best_c and w.order < best.order)))))
      if is_before and is_free(w.client, w.subject, w.client_max, w.subject_max) then
        best, at, best_a, best_b, best_c = w, i, a, b, c
      end
    end
    if not best then return end
    table.remove(waiters, at)
    drop_waiter(best.id)
    grant(best.id, best.client, best.subject, best.owner, now + rules.offer)
    take_turn('V', best.of_client, 1 / best.weight)
    take_turn(best.floor, best.of_subject, 1)
    if best.id ~= ask.id then redis.call('PUBLISH', rules.wake .. best.owner, best.id) end
  end
  if #waiters == 0 then redis.call('DEL', TURNS) end
end

local function retry_after()
  local hold = tonumber(about.hold or '${HOLD_GUESS_MS}')
  local servers = rules.limit
  if servers < 0 then servers = redis.call('ZCARD', LEASES) end
  return math.ceil(hold * (redis.call('ZCARD', QUEUE) + 1) / math.max(1, servers))
end

if op == 'acquire' then
  local outcome, wait = 'granted', 0
  if redis.call('HEXISTS', HOLDERS, ask.id) == 1 then
    outcome = 'granted'
  elseif redis.call('HEXISTS', WAITERS, ask.id) == 1 then
    outcome = 'queued'
  elseif redis.call('ZCARD', QUEUE) == 0 and is_free(ask.client, ask.subject, ask.client_max, ask.subject_max) then
    grant(ask.id, ask.client, ask.subject, ask.owner, now + rules.ttl)
  elseif ask.wait <= 0 or count('w' .. flow(ask.client, ask.subject)) >= rules.queue_max - redis.call('ZCARD', QUEUE) then
    outcome, wait = 'refused', retry_after()
  else
    local order = redis.call('HINCRBY', POOL, 'order', 1)
    redis.call('ZADD', QUEUE, now + ask.wait, ask.id)
    redis.call('HSET', WAITERS, ask.id, cjson.encode({ ask.client, ask.subject, ask.owner, ask.client_max,
      ask.subject_max, ask.weight, order }))
    add('w' .. flow(ask.client, ask.subject), 1)
    serve()
    if redis.call('HEXISTS', HOLDERS, ask.id) == 1 then redis.call('ZADD', LEASES, now + rules.ttl, ask.id)
    else outcome = 'queued' end
  end
  return { about.epoch, outcome, wait }
elseif op == 'release' then
  local hold = tonumber(about.hold or '${HOLD_GUESS_MS}')
  local is_held = false
  for _, id in ipairs(ask.ids) do
    local holder = drop_lease(id)
    if holder then
      hold = hold + (now - holder[4] - hold) * ${HOLD_SHARE}
      is_held = true
    end
    drop_waiter(id)
  end
  if is_held then
    about.hold = string.format('%.17g', hold)
    redis.call('HSET', POOL, 'hold', about.hold)
  end
  serve()
  return { about.epoch, retry_after() }
elseif op == 'beat' then
  if #ask.held > 0 then
    local ids, renewed = {}, {}
    for i, holder in ipairs(ask.held) do ids[i] = holder[1] end
    local known = redis.call('HMGET', HOLDERS, unpack(ids))
    for i, holder in ipairs(ask.held) do
      if known[i] then
        renewed[#renewed + 1] = now + rules.ttl
        renewed[#renewed + 1] = holder[1]
      else grant(holder[1], holder[2], holder[3], ask.owner, now + rules.ttl) end
    end
    if #renewed > 0 then redis.call('ZADD', LEASES, unpack(renewed)) end
  end
  serve()
  local granted, lost = {}, {}
  for _, id in ipairs(ask.waiting) do
    if redis.call('HEXISTS', HOLDERS, id) == 1 then
      redis.call('ZADD', LEASES, now + rules.ttl, id)
      granted[#granted + 1] = id
    elseif redis.call('HEXISTS', WAITERS, id) == 0 then lost[#lost + 1] = id end
  end
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ${FORGET_MS}) end
  return { about.epoch, granted, lost }
elseif op == 'lower' then
  redis.call('HSET', POOL, 'low', math.max(1, redis.call('ZCARD', LEASES) - 1), 'low_until', now + rules.lowered)
  return { about.epoch }
else
  local leases = {}
  local flat = redis.call('HGETALL', HOLDERS)
  for i = 1, #flat, 2 do
    local h = cjson.decode(flat[i + 1])
    leases[#leases + 1] = { flat[i], h[1], h[2], h[3], now - h[4] }
  end
  return { about.epoch, leases, redis.call('ZCARD', QUEUE), low or -1 }
end
`;
