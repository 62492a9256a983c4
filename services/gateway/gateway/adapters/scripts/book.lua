-- Books what generations used, by their audit records, together with the position behind them in the topic: once each, or not at all.
-- KEYS[1]: the reader's hash. ARGV[1]: JSON.
--   `partition` (a field of it), `before` (its value as the reader knows it; '' none), `after`
--   `records`: {id, key of the set of booked ids, its life (ms), key of `done` of the call, its life (ms), call,
--     accounts ({hash, calls}), windows ({key, life (ms)}), prompt, output}
-- Returns the position that stands: `after`, or another one, and nothing was booked, when Redis forgot or somebody else read on.
local asked = cjson.decode(ARGV[1])
local stands = redis.call('HGET', KEYS[1], asked.partition) or ''
if stands ~= asked.before then return stands end

local function whole(number) return string.format('%d', number) end

local function drop(account, calls, field)
  local tokens = redis.call('HGET', account, field)
  redis.call('ZREM', calls, field)
  if not tokens then return end
  local prompt, output = string.match(tokens, '^(%d+),(%d+)$')
  redis.call('HINCRBY', account, 'held:1', whole(-tonumber(prompt)))
  redis.call('HINCRBY', account, 'held:2', whole(-tonumber(output)))
  redis.call('HDEL', account, field)
end

for _, record in ipairs(asked.records) do
  local id, booked, booked_life, done, done_life, call, accounts, windows, prompt, output = unpack(record)
  if redis.call('SADD', booked, id) == 1 then
    redis.call('PEXPIRE', booked, whole(booked_life))
    for _, window in ipairs(windows) do
      redis.call('HINCRBY', window[1], '1', whole(prompt))
      redis.call('HINCRBY', window[1], '2', whole(output))
      redis.call('HINCRBY', window[1], 'n', 1)
      redis.call('PEXPIRE', window[1], whole(window[2]))
    end
  end
  if call ~= '' then
    for _, account in ipairs(accounts) do drop(account[1], account[2], 'call:' .. call) end
    redis.call('SET', done, '1', 'PX', whole(done_life))
  end
end
redis.call('HSET', KEYS[1], asked.partition, asked.after)
return asked.after
