-- ARGV: prefix, id, bytes of the start, bytes of the end, ms in which the end is to be emitted, until when the owner's lease ran (ms).
-- Returns the bytes of the end that stands, claimed before or now; '' when the generation is closed and its end settled.
local id = ARGV[2]
local known = redis.call('HMGET', at(id), 's', 'e')
if known[2] then return known[2] end
if not known[1] and (redis.call('EXISTS', done(id)) == 1 or now > tonumber(ARGV[6])) then return '' end
redis.call('HSET', at(id), 's', ARGV[3], 'e', ARGV[4])
redis.call('ZADD', leases, now + ARGV[5], id)
return ARGV[4]
