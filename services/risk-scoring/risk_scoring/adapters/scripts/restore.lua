-- D9. Puts published decisions back into a store that forgot them. What the decision topic says first is what was decided.
--
-- ARGV[1] prefix, ARGV[2] token of the restore lock, ARGV[3] MessagePack {now s, dedupe horizon s, decision partition, next offset,
-- first offset: everything before it must be known, or the store forgot since the restore began},
-- ARGV[4] MessagePack array of {transaction (see state.lua), decision, input partition or -1, input offset, time of the decision s, nil or where the
-- decision is to be kept (D25): {topic id, partition, offset}}.
-- Idempotent: an input offset at or below the last applied one, or a transaction whose vector is stored, is counted already. A synchronous decision
-- older than the dedupe horizon has no vector any more: it is counted if the store was alive after it.
-- Returns {restored decisions, replayed deltas}.
prefix = ARGV[1]
local header, batch = unpack_(ARGV[3]), unpack_(ARGV[4])
if redis.call('GET', prefix .. 'restoring') ~= ARGV[2] then return redis.error_reply('RESTORE the lock is held by somebody else') end
local now, horizon_s, partition, next_offset = header[1], header[2], header[3], header[4]
if tonumber(redis.call('HGET', prefix .. 'published', partition) or -1) < header[5] - 1 then
  return redis.error_reply('RESTORE the store forgot what was put back before')
end
now_is(now)
local alive = tonumber(redis.call('GET', prefix .. 'clock') or -1)
local decisions, deltas = 0, 0
for _, record in ipairs(batch) do
  local tx, decision = record[1], record[2]
  local key = prefix .. 'd:' .. tx[ID]
  local stored = redis.call('GET', key)
  local entry = stored and unpack_(stored)
  if not entry then
    local counted
    if record[3] >= 0 then
      counted = record[4] <= tonumber(redis.call('HGET', prefix .. 'applied', record[3]) or -1)
    else
      counted = record[5] + horizon_s <= now and record[5] <= alive
    end
    if not counted and tx[TIME] / 3600 <= latest then
      count(tx)
      deltas = deltas + 1
    end
  end
  local left_s = tx[TIME] + horizon_s - now
  local stands = entry and (entry[1] == RECORDED or entry[1] == DECIDED and entry[3] == decision)
  if left_s > 0 and not stands then
    local place = record[6]
    local kept = place and { RECORDED, tx[PRINT], place[1], place[2], place[3] } or { DECIDED, tx[PRINT], decision, '' }
    redis.call('SET', key, pack(kept), 'EX', math.ceil(left_s))
    decisions = decisions + 1
  end
  if record[3] >= 0 then
    local applied = tonumber(redis.call('HGET', prefix .. 'applied', record[3]) or -1)
    if record[4] > applied then redis.call('HSET', prefix .. 'applied', record[3], record[4]) end
  end
end
save_all()
save_ledgers()
redis.call('HSET', prefix .. 'published', partition, next_offset - 1)
return { decisions, deltas }
