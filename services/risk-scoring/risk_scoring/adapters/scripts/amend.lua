-- D17 and lifecycle events: corrections of what was observed. Ids are deduplicated here, and the input offsets are stored with the effect.
--
-- ARGV[1] prefix, ARGV[2] expected generation, ARGV[3] MessagePack {now s, dedupe horizon s, id memory s, name of the input partition, its next
-- position}, ARGV[4] MessagePack array of {kind, transaction, frauds, genuine, amount, change id} (see state.lua).
-- A transaction may carry several labels: it counts as one fraud while any of them says fraud, else as genuine while any says so.
-- A change whose transaction is still expected (younger than the dedupe horizon, not observed yet) is parked until Observe sees it.
-- Returns status letters: a applied, p parked, r repeated.
prefix = ARGV[1]
local header, batch = unpack_(ARGV[3]), unpack_(ARGV[4])
local now, horizon_s, memory_s, input, position = header[1], header[2], header[3], header[4], header[5]
if not generation_ok(ARGV[2]) then return redis.error_reply('GENERATION the store was restored or forgot') end
for i, change in ipairs(batch) do
  if type(change[OF]) ~= 'table' or type(change[6]) ~= 'string' or #change[OF][ID] ~= 16 then
    return redis.error_reply('INVALID change ' .. i)
  end
end

-- Turns one label more or less into the change of the transaction's verdict.
local function verdict_change(change)
  local key = prefix .. 'y:' .. change[OF][ID]
  local packed = redis.call('GET', key)
  local labels = packed and unpack_(packed) or { 0, 0 }
  local fraud_before = labels[1] > 0 and 1 or 0
  local genuine_before = (labels[1] <= 0 and labels[2] > 0) and 1 or 0
  labels[1], labels[2] = labels[1] + change[FRAUDS], labels[2] + change[GENUINE]
  redis.call('SET', key, pack(labels), 'EX', memory_s)
  change[FRAUDS] = (labels[1] > 0 and 1 or 0) - fraud_before
  change[GENUINE] = ((labels[1] <= 0 and labels[2] > 0) and 1 or 0) - genuine_before
end

local status = {}
for i, change in ipairs(batch) do
  local tx = change[OF]
  local fresh_id = redis.call('SET', prefix .. 'l:' .. change[6], '1', 'NX', 'EX', memory_s)
  if not fresh_id then
    status[i] = 'r'
  else
    if change[KIND] == 'label' then verdict_change(change) end
    local expected = tx[TIME] > now - horizon_s and redis.call('EXISTS', prefix .. 'd:' .. tx[ID]) == 0
    if expected then
      local key = prefix .. 'k:' .. tx[ID]
      local parked = redis.call('GET', key)
      local changes = parked and unpack_(parked) or {}
      local advised = false
      for _, each in ipairs(changes) do advised = advised or each[KIND] == 'advice' end
      if change[KIND] == 'advice' and advised then -- two advices of one transaction count it once
        status[i] = 'r'
      else
        changes[#changes + 1] = change
        redis.call('SET', key, pack(changes), 'EX', memory_s)
        if change[KIND] == 'advice' then correct(change) end
        status[i] = 'p'
      end
    elseif change[KIND] == 'advice' then
      status[i] = 'r'
    else
      correct(change)
      status[i] = 'a'
    end
  end
end
save_all()
redis.call('HSET', prefix .. 'amended', input, position)
return table.concat(status)
