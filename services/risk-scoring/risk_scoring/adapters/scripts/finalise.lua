-- D6, D18. One call per batch, before any send or reply: set-if-absent of the exact decision bytes, and the count for the decline cap.
--
-- ARGV[1] prefix, ARGV[2] expected generation, ARGV[3] MessagePack {dedupe horizon s, caps by scope {interval number, interval s, maximum decline
-- rate, minimum denominator}, watermarks [partition, offset, ...]}, ARGV[4] MessagePack array of candidates {id, fingerprint, cap scope, decision,
-- audit, capped decision or '', capped audit or ''}. A candidate with a capped form is a decline that the cap may turn into something milder; an empty
-- scope is counted nowhere.
-- Returns {status letters, extras}: w this candidate won, k its capped form won, l another decision was stored before (extras: decision, audit),
-- r it was, and its record stands elsewhere (extras: topic id, partition, offset; D25), c same id with another fingerprint.
prefix = ARGV[1]
local header, batch = unpack_(ARGV[3]), unpack_(ARGV[4])
local horizon_s, policies, marks = string.format('%d', header[1]), header[2], header[3]
if not generation_ok(ARGV[2]) then return redis.error_reply('GENERATION the store was restored or forgot') end
for i, candidate in ipairs(batch) do
  for field = 1, 7 do
    if type(candidate[field]) ~= 'string' then return redis.error_reply('INVALID candidate ' .. i .. ' field ' .. field) end
  end
  if candidate[3] ~= '' and not policies[candidate[3]] then return redis.error_reply('INVALID candidate ' .. i .. ' cap scope') end
end

local caps = {}
local function cap_of(scope)
  local cap = caps[scope]
  if not cap then
    local policy = policies[scope]
    local key = prefix .. 'cap:' .. policy[1] .. ':' .. scope
    local values = redis.call('HMGET', key, 'total', 'declined')
    cap = { key = key, ttl = policy[2] * 2, max = policy[3], min = policy[4], total = tonumber(values[1] or 0), declined = tonumber(values[2] or 0) }
    caps[scope] = cap
  end
  return cap
end

local status, extras = {}, {}
for i, candidate in ipairs(batch) do
  local key = prefix .. 'd:' .. candidate[1]
  local stored = redis.call('GET', key)
  local entry = stored and unpack_(stored)
  if entry and entry[2] ~= candidate[2] then
    status[i] = 'c'
  elseif entry and entry[1] == DECIDED then
    status[i] = 'l'
    extras[#extras + 1] = entry[3]
    extras[#extras + 1] = entry[4]
  elseif entry and entry[1] == RECORDED then
    status[i] = 'r'
    place_of(entry, extras)
  else
    local decision, audit, letter = candidate[4], candidate[5], 'w'
    local cap = candidate[3] ~= '' and cap_of(candidate[3])
    if cap then cap.total = cap.total + 1 end
    if cap and candidate[6] ~= '' then
      if cap.total >= cap.min and cap.declined + 1 > cap.max * cap.total then
        decision, audit, letter = candidate[6], candidate[7], 'k'
      else
        cap.declined = cap.declined + 1
      end
    end
    redis.call('SET', key, pack({ 2, candidate[2], decision, audit }), 'EX', horizon_s)
    status[i] = letter
  end
end
for _, cap in pairs(caps) do
  redis.call('HSET', cap.key, 'total', cap.total, 'declined', cap.declined)
  redis.call('EXPIRE', cap.key, cap.ttl)
end
for i = 1, #marks, 2 do
  local before = tonumber(redis.call('HGET', prefix .. 'published', marks[i]) or -1)
  if marks[i + 1] > before then redis.call('HSET', prefix .. 'published', marks[i], marks[i + 1]) end
end
return { table.concat(status), extras }
