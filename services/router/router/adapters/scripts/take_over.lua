-- ARGV: prefix, id, bytes of the end, ms in which it is to be emitted, output tokens that the end tells of.
-- Returns the bytes of the end that stands; '' when there is nothing to end: closed meanwhile, or its owner is alive after all.
local id = ARGV[2]
local known = redis.call('HMGET', at(id), 's', 'e', 't')
if known[2] then return known[2] end
local until_ms = redis.call('ZSCORE', leases, id)
if not known[1] or not until_ms or tonumber(until_ms) > now or known[3] ~= ARGV[5] then return '' end
redis.call('HSET', at(id), 'e', ARGV[3])
redis.call('ZADD', leases, now + ARGV[4], id)
return ARGV[3]
