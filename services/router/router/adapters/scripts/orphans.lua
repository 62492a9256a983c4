-- ARGV: prefix, who asks, ms for which it is the sweeper, at most so many. Returns for each generation whose lease is over: id, bytes of the start,
-- output tokens, time of them. Nothing for whoever is not the sweeper.
local sweeper = redis.call('GET', prefix .. 'sweeper')
if sweeper and sweeper ~= ARGV[2] then return {} end
redis.call('SET', prefix .. 'sweeper', ARGV[2], 'PX', ARGV[3])
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, ARGV[4])) do
  local known = redis.call('HMGET', at(id), 's', 't', 'a')
  if known[1] then
    found[#found + 1] = { id, known[1], known[2] or '0', known[3] or '0' }
  else
    redis.call('ZREM', leases, id)
  end
end
return found
