-- Counts transactions of the past and their labels: features before the first decision. Decides nothing and remembers no ids.
--
-- ARGV[1] prefix, ARGV[2] expected generation, ARGV[3] MessagePack {import id, number of the part, from 0, now s}, ARGV[4] MessagePack array of changes
-- {kind ('advice' counts a transaction, 'label' its label), transaction, frauds, genuine, amount, change id} (see state.lua).
-- A part that was counted before, or one before its turn, changes nothing. Returns the number of the next part.
prefix = ARGV[1]
local header, batch = unpack_(ARGV[3]), unpack_(ARGV[4])
if not generation_ok(ARGV[2]) then return redis.error_reply('GENERATION the store was restored or forgot') end
local due = tonumber(redis.call('HGET', prefix .. 'imported', header[1]) or 0)
if header[2] ~= due then return due end
now_is(header[3])
for _, change in ipairs(batch) do
  if change[KIND] == 'advice' then apply(change[OF]) else label(change[OF], change[FRAUDS], change[GENUINE]) end
end
save_all()
redis.call('HSET', prefix .. 'imported', header[1], due + 1)
return due + 1
