-- ARGV: prefix, id, bytes of the start, lease ms, output tokens, time of them, until when its owner's lease ran (ms; 0: it never had one).
-- Returns until when the lease runs, or 0 when it is closed. Calling it again, after an answer that was lost, changes nothing.
local id, until_ms = ARGV[2], now + ARGV[4]
if redis.call('EXISTS', done(id)) == 1 then return 0 end
local known = redis.call('HMGET', at(id), 's', 'e')
if known[1] then
  if known[1] ~= ARGV[3] or known[2] then return 0 end
elseif ARGV[7] ~= '0' and now > tonumber(ARGV[7]) then
  return 0 -- not forgotten by us: closed by somebody, so long ago that no trace is left
else
  redis.call('HSET', at(id), 's', ARGV[3], 't', ARGV[5], 'a', ARGV[6])
end
redis.call('ZADD', leases, until_ms, id)
return until_ms
