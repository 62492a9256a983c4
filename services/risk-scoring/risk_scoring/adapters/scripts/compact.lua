-- D25. Stored decisions give way to where their records stand: only bytes that are equal to the record's, with the expiry that they have.
--
-- ARGV[1] prefix, ARGV[2] expected generation, ARGV[3] MessagePack {decision partition, topic id (16 bytes), position before as the reader knows it
-- ('' none), position behind the batch}, ARGV[4] MessagePack array of {decision id, decision, offset}.
-- Position and replacements are one step: a store that forgets one forgets both.
-- Returns {position that stands, how many were replaced, ids whose stored bytes are others}. Another position than the one behind the batch: nothing
-- was done, somebody else read on or the store forgot.
prefix = ARGV[1]
local header, batch = unpack_(ARGV[3]), unpack_(ARGV[4])
if not generation_ok(ARGV[2]) then return redis.error_reply('GENERATION the store was restored or forgot') end
local partition, topic, before, after = header[1], header[2], header[3], header[4]
local known = redis.call('HGET', prefix .. 'compacted', partition) or ''
if known ~= before then return { known, 0, {} } end
local replaced, unequal = 0, {}
for _, record in ipairs(batch) do
  local key = prefix .. 'd:' .. record[1]
  local stored = redis.call('GET', key)
  local entry = stored and unpack_(stored)
  if entry and entry[1] == DECIDED then
    if entry[3] == record[2] then
      redis.call('SET', key, pack({ RECORDED, entry[2], topic, partition, record[3] }), 'KEEPTTL')
      replaced = replaced + 1
    else
      unequal[#unequal + 1] = record[1]
    end
  end
end
redis.call('HSET', prefix .. 'compacted', partition, after)
return { after, replaced, unequal }
