-- Who holds how many tokens of which shares; what was used is booked from audit records by book.lua. One step, all or nothing.
-- KEYS: `done` of the call, the reader's hash, then of each account a hash and the sorted set of its calls by the time at which their hold ends.
-- ARGV[1]: JSON. `op`, `call`, `now` and `until` (milliseconds); `tokens` (prompt, output); `life` of an account's keys (milliseconds), and for
--   hold:  `least`, `most` (prompt, output), `shares` ({account, kind (1 prompt, 2 output), window key, tokens, milliseconds to its end})
--   keep:  hold `tokens`, whether they are there or not: a renewal, also for a Redis that forgot. `shares` as above: is one used up?
--   over:  the call ended and used `tokens`: they are held until its record is booked, `until` at the longest. 0, 0: nothing was used
-- The account's hash: held:1, held:2 (sums), call:<id> ("prompt,output").
-- Returns {prompt, output, number of the share that refuses or is used up, milliseconds until it is free (-1 never), whether the books are whole,
--   then what is left of each share}.
local asked = cjson.decode(ARGV[1])
local now, call = asked.now, 'call:' .. asked.call
local RUNNING_MS = 1000

local function parts(text)
  if not text then return {0, 0} end
  local prompt, output = string.match(text, '^(%d+),(%d+)$')
  return {tonumber(prompt), tonumber(output)}
end

local function whole(number) return string.format('%d', number) end

local function drop(account, calls, field)
  local tokens = redis.call('HGET', account, field)
  redis.call('ZREM', calls, field)
  if not tokens then return end
  for kind, count in ipairs(parts(tokens)) do redis.call('HINCRBY', account, 'held:' .. kind, whole(-count)) end
  redis.call('HDEL', account, field)
end

local function set(account, calls, tokens)
  drop(account, calls, call)
  for kind, count in ipairs(tokens) do redis.call('HINCRBY', account, 'held:' .. kind, whole(count)) end
  redis.call('HSET', account, call, whole(tokens[1]) .. ',' .. whole(tokens[2]))
  redis.call('ZADD', calls, whole(asked['until']), call)
  redis.call('PEXPIRE', account, whole(asked.life))
  redis.call('PEXPIRE', calls, whole(asked.life))
end

local complete = tonumber(redis.call('HGET', KEYS[2], 'complete') or 0)
local accounts = {}
for number = 3, #KEYS, 2 do
  local account, calls = KEYS[number], KEYS[number + 1]
  accounts[#accounts + 1] = {account, calls}
  for _, field in ipairs(redis.call('ZRANGEBYSCORE', calls, '-inf', whole(now))) do drop(account, calls, field) end
end

-- A call whose record is booked holds nothing any more, whatever comes late.
local is_booked = redis.call('EXISTS', KEYS[1]) == 1
if asked.op == 'over' then
  for _, each in ipairs(accounts) do
    if is_booked or asked.tokens[1] + asked.tokens[2] == 0 then drop(each[1], each[2], call) else set(each[1], each[2], asked.tokens) end
  end
  return {0, 0, 0, 0, complete}
end

local granted, refused, longest, left_of = {0, 0}, 0, 0, {}
if asked.op == 'hold' then granted = {asked.most[1], asked.most[2]} end
for number, share in ipairs(asked.shares) do
  local account, kind, tokens, wait_ms = accounts[share[1]][1], share[2], share[4], share[5]
  local left = tokens - tonumber(redis.call('HGET', share[3], kind) or 0)
  local own = parts(redis.call('HGET', account, call))[kind]
  local free = left - tonumber(redis.call('HGET', account, 'held:' .. kind) or 0) + own
  local least = asked.op == 'hold' and asked.least[kind] or 1
  left_of[number] = free
  if (asked.op == 'hold' and free or left) < least then
    local wait = wait_ms
    if least > tokens then wait = math.huge elseif left >= least then wait = math.min(RUNNING_MS, wait) end
    if wait > longest then refused, longest = number, wait end
  elseif asked.op == 'hold' then
    granted[kind] = math.min(granted[kind], free)
  end
end
local answer = {granted[1], granted[2], refused, longest == math.huge and -1 or math.ceil(longest), complete}
if asked.op == 'keep' then
  if not is_booked then
    for _, each in ipairs(accounts) do set(each[1], each[2], asked.tokens) end
  end
  return answer
end
if refused > 0 then return {0, 0, refused, answer[4], complete} end
for _, each in ipairs(accounts) do set(each[1], each[2], granted) end
for number, share in ipairs(asked.shares) do answer[#answer + 1] = math.max(0, left_of[number] - granted[share[2]]) end
return answer
