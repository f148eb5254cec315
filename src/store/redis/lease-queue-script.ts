// The part of the lease script, in Lua, that keeps the queue and picks who is next, by the rules of ../lease-queue.ts. It walks nothing that
// grows with the queue: each subject's first ask is looked up in LINE, each client app's next ask in READY, client apps in CLIENTS.
//
// All members of LINE and READY have the same score and are ordered as strings, so they begin with names after their length and with
// numbers of a fixed width.

/** Turns of subjects that do not wait now, of all client apps. */
const TURNS_KEPT = 1_000;
/** Most names in one command: Lua passes no more than some thousand arguments. */
const NAMED_MAX = 500;

/** Goes after the definitions of `count`, `add`, `tagged`, `flow` and `waiting`, and before the functions that grant and drop leases. */
export const QUEUE = `local turns = {}
local function turn(name)
  if turns[name] == nil then turns[name] = tonumber(redis.call('HGET', TURNS, name) or '0') end
  return turns[name]
end
local function set_turn(name, value)
  turns[name] = value
  redis.call('HSET', TURNS, name, string.format('%.17g', value))
end
local function begin_waiting(floor, name) set_turn(name, math.max(turn(floor), turn(name))) end
-- Turns taken are remembered only if they exceed a newcomer's.
local function end_waiting(floor, name)
  if turn(name) > turn(floor) then return end
  turns[name] = 0
  redis.call('HDEL', TURNS, name)
end
local function take_turn(floor, name, cost)
  local taken = turn(name)
  set_turn(floor, math.max(turn(floor), taken))
  set_turn(name, taken + cost)
end

-- The first member with a prefix, without the prefix. Digits follow a prefix, and ':' sorts after them.
local function first(key, prefix)
  local member = redis.call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. prefix .. ':', 'LIMIT', 0, 1)[1]
  return member and string.sub(member, #prefix + 1)
end
local function ordered(number) return string.format('%016.0f', number) end
-- The first ask of a subject is in READY, unless the subject holds as many leases as it may.
local function set_ready(client, subject)
  local name, is = flow(client, subject), false
  local head = first(LINE, name)
  if head then
    local subject_max = cjson.decode(redis.call('HGET', WAITERS, string.sub(head, 17)))[5]
    local of_subject = count('s' .. name)
    if subject_max < 0 or of_subject < subject_max then
      is = tagged(client) .. ordered(turn('s' .. name)) .. ordered(of_subject) .. head
    end
  end
  local was = redis.call('HGET', TURNS, 'r' .. name)
  if was == is then return end
  if was then redis.call('ZREM', READY, was) end
  if is then
    redis.call('ZADD', READY, 0, is)
    redis.call('HSET', TURNS, 'r' .. name, is)
  else redis.call('HDEL', TURNS, 'r' .. name) end
end
local function next_of(client)
  local member = first(READY, tagged(client))
  return member and string.sub(member, 49)
end

local function enqueue(id, client, subject, waiter, expiry)
  local name = flow(client, subject)
  if count('q' .. client) == 0 then begin_waiting('V', 'c' .. client) end
  if count('w' .. name) == 0 then begin_waiting('v' .. client, 's' .. name) end
  waiting = waiting + 1
  had_waiting = true
  add('q' .. client, 1)
  add('w' .. name, 1)
  redis.call('ZADD', QUEUE, expiry, id)
  redis.call('HSET', WAITERS, id, cjson.encode(waiter))
  redis.call('ZADD', LINE, 0, name .. ordered(waiter[7]) .. id)
  redis.call('ZADD', CLIENTS, string.format('%.17g', turn('c' .. client)), client)
  set_ready(client, subject)
end
-- A busy queue may not be empty for days, and most subjects wait once. One that comes back after all counts as a newcomer.
local function forget_passers()
  local subjects = {}
  for _, name in ipairs(redis.call('HKEYS', TURNS)) do
    if string.sub(name, 1, 1) == 's' then subjects[#subjects + 1] = name end
  end
  for from = 1, #subjects, ${NAMED_MAX} do
    local some, asks, gone = {}, {}, {}
    for i = from, math.min(#subjects, from + ${NAMED_MAX} - 1) do
      some[#some + 1] = subjects[i]
      asks[#asks + 1] = 'w' .. string.sub(subjects[i], 2)
    end
    local queued = redis.call('HMGET', COUNTS, unpack(asks))
    for i, name in ipairs(some) do
      if not queued[i] then
        gone[#gone + 1] = name
        turns[name] = nil
      end
    end
    if #gone > 0 then redis.call('HDEL', TURNS, unpack(gone)) end
  end
end
local function forget_turns()
  if not had_waiting then return end
  -- Each subject that waits has two entries.
  if waiting > 0 then
    if redis.call('HLEN', TURNS) > 4 * waiting + ${TURNS_KEPT} then forget_passers() end
    return
  end
  -- When nobody waits, no turns have to be remembered.
  had_waiting = false
  turns = {}
  redis.call('DEL', TURNS, LINE, READY, CLIENTS)
end
local function drop_waiter(id)
  local text = redis.call('HGET', WAITERS, id)
  local was_there = redis.call('ZREM', QUEUE, id)
  waiting = waiting - was_there
  if not text then return end
  local waiter = cjson.decode(text)
  local client, name = waiter[1], flow(waiter[1], waiter[2])
  redis.call('HDEL', WAITERS, id)
  redis.call('ZREM', LINE, name .. ordered(waiter[7]) .. id)
  if add('w' .. name, -1) == 0 then end_waiting('v' .. client, 's' .. name) end
  if add('q' .. client, -1) == 0 then redis.call('ZREM', CLIENTS, client) end
  set_ready(client, waiter[2])
end
`;

/** Goes after the definitions of `is_full`, `is_free` and `grant`. */
export const SERVE = `-- Client apps in the order of turns taken, equals by name; there are only as many as are configured.
local function next_waiter()
  for _, client in ipairs(redis.call('ZRANGE', CLIENTS, 0, -1)) do
    local id = next_of(client)
    if id then
      local waiter = cjson.decode(redis.call('HGET', WAITERS, id))
      if is_free(client, waiter[2], waiter[4], waiter[5]) then return id, waiter end
    end
  end
end
local function serve()
  while waiting > 0 do
    if is_full() then return end
    local id, waiter = next_waiter()
    if not id then return end
    local client, subject, owner = waiter[1], waiter[2], waiter[3]
    take_turn('V', 'c' .. client, 1 / waiter[6])
    take_turn('v' .. client, 's' .. flow(client, subject), 1)
    drop_waiter(id)
    if count('q' .. client) > 0 then redis.call('ZADD', CLIENTS, string.format('%.17g', turn('c' .. client)), client) end
    grant(id, client, subject, owner, now + rules.offer)
    if id ~= ask.id then redis.pcall('PUBLISH', rules.wake .. owner, id) end
  end
  forget_turns()
end
`;
