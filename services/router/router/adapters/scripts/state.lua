-- Generations that have begun and whose end is not settled. Goes before every script.
--
-- <prefix>g:<id>      hash: s bytes of the start's record, t output tokens and a time (µs) of the last checkpoint, e bytes of the end's record once
--                     somebody claimed the end
-- <prefix>leases      sorted set: until when (ms of this server's clock) nobody but its owner touches a generation
-- <prefix>done:<id>   its end stands in the log; kept for a while
-- <prefix>sweeper     who looks for generations whose lease is over
--
-- The one clock is this server's: routers' clocks decide nothing. A claimed end never changes and is gone only when it stands in the log.
local prefix = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leases = prefix .. 'leases'
local function at(id) return prefix .. 'g:' .. id end
local function done(id) return prefix .. 'done:' .. id end
local function settled(id, ms)
  redis.call('DEL', at(id))
  redis.call('ZREM', leases, id)
  redis.call('SET', done(id), '1', 'PX', ms)
end
