// The pool of leases as a script that Redis runs atomically: the rules of ../lease-table.ts, by Redis' clock.
// Entries have an id and an expiry; counts change only together with an entry, in the same run.
//
// KEYS 1 pool             hash  epoch, warm, seen, order, hold, low, low_until; anew: Redis has restarted or was replaced, and its data, from
//                               disk or from replication, may be slightly old; asked: a replica that is new here had to bring the script
//      2 leases           zset  id -> expiry
//      3 holders          hash  id -> [client, subject, owner, granted]
//      4 counts           hash  leases that a client app (c) and a subject (s) hold, asks of theirs that wait (q, w)
//      5 queue            zset  id -> end of its wait
//      6 waiters          hash  id -> [client, subject, owner, client max, subject max, weight, order]
//      7 turns            hash  floors (V, v) and turns taken of client apps (c) and subjects (s), and a subject's place in ready (r)
//      8 line             zset  subject, order and id, in this order: finds the first ask of a subject
//      9 ready            zset  client app, turns and leases of the subject, order and id of its first ask, in this order: finds who is next
//     10 clients          zset  client app that has asks waiting -> turns taken
// Keys 7 to 10 are written by lease-queue-script.ts.
// ARGV 1 operation, 2 rules and times of the pool (JSON, see poolText in redis-leases.ts), 3 arguments of the operation (JSON)
import { CLIENT_WAITING, HOLD_GUESS_MS, HOLD_SHARE } from '../lease-rules.ts';
import { QUEUE, SERVE } from './lease-queue-script.ts';

/** Number of keys that the script takes. */
export const LEASE_KEYS = [
  'pool',
  'leases',
  'holders',
  'counts',
  'queue',
  'waiters',
  'turns',
  'line',
  'ready',
  'clients',
] as const;

/** If no call came for longer than this, the store itself stood still, and every holder gets the grace period to confirm its leases. */
const STILL_MS = 5_000;
const GRACE_MS = 4_000;

/** Most expired entries that one call drops, so that the death of a replica with thousands does not block Redis. The rest still counts. */
const EXPIRED_MAX = 500;

/** About how many leases of a view are read at once: the store serves nobody else meanwhile, and a call has little time. */
const VIEWED_MAX = 500;

/** Takes the place of a replica's name in the channel on which every replica is told that a pool starts afresh. */
export const ALL = 'all';

/** Keys that a deployment leaves behind expire after this. */
const FORGET_MS = 3_600_000;

export const LEASE_SCRIPT = `
local POOL, LEASES, HOLDERS, COUNTS, QUEUE, WAITERS, TURNS, LINE, READY, CLIENTS = unpack(KEYS)
local op, rules, ask = ARGV[1], cjson.decode(ARGV[2]), cjson.decode(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local about = {}
do
  local flat = redis.call('HGETALL', POOL)
  for i = 1, #flat, 2 do about[flat[i]] = flat[i + 1] end
end
local function forget_later()
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ${FORGET_MS}) end
end
-- First of all writes: a Redis that is out of memory refuses this one, and then nothing is half done.
redis.call('HSET', POOL, 'seen', now)
local held = redis.call('ZCARD', LEASES)
local waiting = redis.call('ZCARD', QUEUE)
-- A Redis with an eviction policy evicts whole keys. What is left would count for ever, or be looked up in vain each time.
local function is_whole()
  if redis.call('HLEN', HOLDERS) ~= held or redis.call('HLEN', WAITERS) ~= waiting then return false end
  if waiting > 0 then return redis.call('EXISTS', COUNTS, TURNS, LINE, CLIENTS) == 4 end
  return redis.call('EXISTS', COUNTS) == (held > 0 and 1 or 0) and redis.call('EXISTS', LINE, READY, CLIENTS) == 0
end
if not is_whole() then
  redis.call('DEL', unpack(KEYS, 2))
  held, waiting, about.epoch = 0, 0, nil
end
local had_waiting = waiting > 0
-- A new replica cannot tell a Redis that was restarted from one that has only never seen this version's script. If leases were
-- confirmed lately it was not restarted. Otherwise a warm-up is the price of not knowing, even if nobody holds any.
if about.asked and about.seen and now - about.seen > ${STILL_MS} then about.anew = '1' end
if about.anew or about.asked then redis.call('HDEL', POOL, 'anew', 'asked') end
-- Another call may have found out in the meantime, and the replicas are told once.
if not about.epoch or (about.anew and now >= tonumber(about.warm)) then
  about.epoch = now .. '-' .. redis.call('TIME')[2]
  about.warm = now + rules.warm
  redis.call('HSET', POOL, 'epoch', about.epoch, 'warm', about.warm)
  forget_later()
  redis.pcall('PUBLISH', rules.wake .. '${ALL}', '')
end
-- The clock was set back: without this, everything that ends by the earlier clock would last longer by the difference.
if about.seen and about.seen - now > ${STILL_MS} then
  for _, key in ipairs({ LEASES, QUEUE }) do
    local flat = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #flat, 2 do redis.call('ZADD', key, flat[i + 1] - about.seen + now, flat[i]) end
  end
  about.warm = math.min(about.warm, now + rules.warm)
  about.low_until = math.min(about.low_until or 0, now + rules.lowered)
  redis.call('HSET', POOL, 'warm', about.warm, 'low_until', about.low_until)
end
if about.seen and now - about.seen > ${STILL_MS} then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now + ${GRACE_MS})) do
    redis.call('ZADD', LEASES, now + ${GRACE_MS}, id)
  end
end

local counts = {}
local function count(name)
  if counts[name] == nil then counts[name] = tonumber(redis.call('HGET', COUNTS, name) or '0') end
  return counts[name]
end
local function add(name, by)
  local is = redis.call('HINCRBY', COUNTS, name, by)
  if is == 0 then redis.call('HDEL', COUNTS, name) end
  counts[name] = is
  return is
end
-- With its length in front, no name is a prefix of another.
local function tagged(name) return #name .. ':' .. name end
local function flow(client, subject) return tagged(client) .. tagged(subject) end

${QUEUE}
local function set_held(client, subject, by)
  local name = flow(client, subject)
  held = held + by
  add('c' .. client, by)
  add('s' .. name, by)
  if waiting > 0 and count('w' .. name) > 0 then set_ready(client, subject) end
end
local function grant(id, client, subject, owner, expiry)
  redis.call('ZADD', LEASES, expiry, id)
  redis.call('HSET', HOLDERS, id, cjson.encode({ client, subject, owner, now }))
  set_held(client, subject, 1)
end
local function drop_lease(id)
  local text = redis.call('HGET', HOLDERS, id)
  local was_there = redis.call('ZREM', LEASES, id)
  if not text then
    held = held - was_there
    return nil
  end
  redis.call('HDEL', HOLDERS, id)
  local holder = cjson.decode(text)
  set_held(holder[1], holder[2], -1)
  return holder
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, ${EXPIRED_MAX})) do drop_lease(id) end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', QUEUE, '-inf', now, 'LIMIT', 0, ${EXPIRED_MAX})) do drop_waiter(id) end
forget_turns()

local limit = rules.limit
local low = nil
if about.low_until and tonumber(about.low_until) > now then low = tonumber(about.low) end
if limit >= 0 and low then limit = math.min(limit, low) end
local is_warming = now < tonumber(about.warm)

local function is_full() return is_warming or (limit >= 0 and held >= limit) end
local function is_free(client, subject, client_max, subject_max)
  local of_client = count('c' .. client)
  if client_max >= 0 and of_client >= client_max then return false end
  if subject_max >= 0 and count('s' .. flow(client, subject)) >= subject_max then return false end
  if is_warming then return false end
  if limit < 0 then return true end
  if held >= limit then return false end
  local kept, own = 0, 0
  for _, pair in ipairs(rules.reserved) do
    if pair[1] == client then own = pair[2]
    else kept = kept + math.max(0, pair[2] - count('c' .. pair[1])) end
  end
  if of_client < own then return true end
  return limit - held - kept >= 1
end

${SERVE}
local function retry_after()
  local hold = tonumber(about.hold or '${HOLD_GUESS_MS}')
  local servers = rules.limit
  if servers < 0 then servers = held end
  return math.ceil(hold * (waiting + 1) / math.max(1, servers))
end

if op == 'acquire' then
  local outcome, wait = 'granted', 0
  local were_held, were_waiting = held, waiting
  if redis.call('HEXISTS', HOLDERS, ask.id) == 1 then
    outcome = 'granted'
  elseif redis.call('HEXISTS', WAITERS, ask.id) == 1 then
    outcome = 'queued'
  elseif waiting == 0 and is_free(ask.client, ask.subject, ask.client_max, ask.subject_max) then
    grant(ask.id, ask.client, ask.subject, ask.owner, now + rules.ttl)
  else
    local places = rules.queue_max - waiting
    local may_wait = ask.wait > 0 and count('w' .. flow(ask.client, ask.subject)) < places
      and (not rules.is_shared or count('q' .. ask.client) < ${CLIENT_WAITING} * places)
    -- The queue may be full of asks whose own limits keep them from what is free: they must not block an ask that can be granted.
    if may_wait or is_free(ask.client, ask.subject, ask.client_max, ask.subject_max) then
      enqueue(ask.id, ask.client, ask.subject, { ask.client, ask.subject, ask.owner, ask.client_max, ask.subject_max,
        ask.weight, redis.call('HINCRBY', POOL, 'order', 1) }, now + ask.wait)
      serve()
    end
    if redis.call('HEXISTS', HOLDERS, ask.id) == 1 then redis.call('ZADD', LEASES, now + rules.ttl, ask.id)
    elseif may_wait then outcome = 'queued'
    else
      drop_waiter(ask.id)
      outcome, wait = 'refused', retry_after()
    end
  end
  -- New keys expire too, even if all replicas are killed before their next beat.
  if (were_held == 0 and held > 0) or (were_waiting == 0 and waiting > 0) then forget_later() end
  return { about.epoch, outcome, wait }
elseif op == 'release' then
  local hold = tonumber(about.hold or '${HOLD_GUESS_MS}')
  local is_held, may_serve = false, waiting > 0
  for _, id in ipairs(ask.ids) do
    local holder = drop_lease(id)
    if holder then
      hold = hold + (math.max(0, now - holder[4]) - hold) * ${HOLD_SHARE}
      is_held = true
    end
    drop_waiter(id)
  end
  if is_held then
    about.hold = string.format('%.17g', hold)
    redis.call('HSET', POOL, 'hold', about.hold)
  end
  serve()
  if may_serve then forget_later() end -- the leases given out now may be in new keys
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
  forget_later()
  return { about.epoch, granted, lost }
elseif op == 'lower' then
  redis.call('HSET', POOL, 'low', math.max(1, held - 1), 'low_until', now + rules.lowered)
  return { about.epoch }
else
  local leases = {}
  local next, flat = unpack(redis.call('HSCAN', HOLDERS, ask.from, 'COUNT', ${VIEWED_MAX}))
  for i = 1, #flat, 2 do
    local h = cjson.decode(flat[i + 1])
    leases[#leases + 1] = { flat[i], h[1], h[2], h[3], math.max(0, now - h[4]) }
  end
  return { about.epoch, next, leases, waiting, low or -1 }
end
`;
