-- Who holds and who has used how many tokens: the rules of domain/token_ledger.py, in one step.
-- KEYS: of each account a hash and the sorted set of its calls by the time at which their hold ends.
-- ARGV[1]: JSON. `op`, `now` and `until` (milliseconds), `call`, then for
--   hold:   `least`, `most` (prompt, output), `shares` ({account, kind (1 prompt, 2 output), period in seconds, tokens})
--   settle: `used` (prompt, output), `periods` (of each account)
--   renew:  nothing more
-- The hash: held:1, held:2 (sums), call:<id> ("prompt,output"), and of each period window:<s>, used:<s>:1, used:<s>:2.
-- hold returns {prompt, output, 0, 0}, or {0, 0, number of the share, milliseconds until it is free; -1 never}.
local asked = cjson.decode(ARGV[1])
local now, call = asked.now, 'call:' .. asked.call
local RUNNING_MS, LONGEST_MS = 1000, 1000 * (asked.longest or 0)

local function parts(text)
  if not text then return {0, 0} end
  local prompt, output = string.match(text, '^(%d+),(%d+)$')
  return {tonumber(prompt), tonumber(output)}
end

local function drop(account, field)
  local tokens = redis.call('HGET', account, field)
  if not tokens then return end
  for kind, count in ipairs(parts(tokens)) do redis.call('HINCRBY', account, 'held:' .. kind, string.format('%d', -count)) end
  redis.call('HDEL', account, field)
end

local function forget(account, calls)
  for _, field in ipairs(redis.call('ZRANGEBYSCORE', calls, '-inf', now)) do
    drop(account, field)
    redis.call('ZREM', calls, field)
  end
end

local function used_in(account, period, kind)
  if tonumber(redis.call('HGET', account, 'window:' .. period) or -1) ~= math.floor(now / 1000 / period) then return 0 end
  return tonumber(redis.call('HGET', account, 'used:' .. period .. ':' .. kind) or 0)
end

local function keep(account, calls)
  local life = string.format('%d', LONGEST_MS + math.max(0, (asked['until'] or now) - now))
  redis.call('PEXPIRE', account, life)
  redis.call('PEXPIRE', calls, life)
end

for number = 1, #KEYS, 2 do forget(KEYS[number], KEYS[number + 1]) end

if asked.op == 'renew' then
  for number = 1, #KEYS, 2 do
    if redis.call('ZSCORE', KEYS[number + 1], call) then
      redis.call('ZADD', KEYS[number + 1], asked['until'], call)
      keep(KEYS[number], KEYS[number + 1])
    end
  end
  return {0, 0, 0, 0}
end

if asked.op == 'settle' then
  for number = 1, #KEYS, 2 do
    local account = KEYS[number]
    drop(account, call)
    redis.call('ZREM', KEYS[number + 1], call)
    for _, period in ipairs(asked.periods[(number + 1) / 2]) do
      local window = math.floor(now / 1000 / period)
      local fresh = tonumber(redis.call('HGET', account, 'window:' .. period) or -1) == window
      if not fresh then redis.call('HSET', account, 'window:' .. period, string.format('%d', window)) end
      for kind, count in ipairs(asked.used) do
        local before = fresh and tonumber(redis.call('HGET', account, 'used:' .. period .. ':' .. kind) or 0) or 0
        redis.call('HSET', account, 'used:' .. period .. ':' .. kind, string.format('%d', before + count))
      end
    end
    keep(account, KEYS[number + 1])
  end
  return {0, 0, 0, 0}
end

local granted, refused, longest = {asked.most[1], asked.most[2]}, 0, 0
for number, share in ipairs(asked.shares) do
  local account, kind, period, tokens = KEYS[2 * share[1] - 1], share[2], share[3], share[4]
  local least = asked.least[kind]
  local left = tokens - used_in(account, period, kind)
  local own = parts(redis.call('HGET', account, call))[kind]
  local free = left - tonumber(redis.call('HGET', account, 'held:' .. kind) or 0) + own
  if free < least then
    local wait = period * 1000 - now % (period * 1000)
    if least > tokens then wait = math.huge elseif left >= least then wait = math.min(RUNNING_MS, wait) end
    if wait > longest then refused, longest = number, wait end
  else
    granted[kind] = math.min(granted[kind], free)
  end
end
if refused > 0 then return {0, 0, refused, longest == math.huge and -1 or math.ceil(longest)} end
for number = 1, #KEYS, 2 do
  local account, calls = KEYS[number], KEYS[number + 1]
  drop(account, call)
  for kind, count in ipairs(granted) do redis.call('HINCRBY', account, 'held:' .. kind, string.format('%d', count)) end
  redis.call('HSET', account, call, string.format('%d,%d', granted[1], granted[2]))
  redis.call('ZADD', calls, asked['until'], call)
  keep(account, calls)
end
return {granted[1], granted[2], 0, 0}
