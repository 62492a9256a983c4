-- D17, D29 and lifecycle events: corrections of what was observed. Ids are deduplicated here, and the input offsets are stored with the effect.
--
-- ARGV[1] prefix, ARGV[2] expected generation, ARGV[3] MessagePack {now s, dedupe horizon s, id memory s, name of the input partition, its next
-- position}, ARGV[4] MessagePack array of {kind, transaction, frauds, genuine, amount, change id, type of the label} (see state.lua).
-- A transaction may carry several labels: it counts as one fraud while any of them says fraud, else as genuine while any says so. What is taken back
-- of it, under however many ids, is never more than it put in.
-- A change whose transaction is still expected (younger than the dedupe horizon, not observed yet) waits until Observe sees the transaction. An older
-- one is taken for counted.
-- Returns status letters: a applied, p waits, r repeated, c refused: the transaction came with other content. While any is refused the position stays:
-- the caller keeps what was refused first, then moves it with an empty batch.
prefix = ARGV[1]
local header, batch = unpack_(ARGV[3]), unpack_(ARGV[4])
local now, horizon_s, memory_s, input, position = header[1], header[2], header[3], header[4], header[5]
if not generation_ok(ARGV[2]) then return redis.error_reply('GENERATION the store was restored or forgot') end
for i, change in ipairs(batch) do
  if type(change[OF]) ~= 'table' or type(change[CHANGE]) ~= 'string' or #change[OF][ID] ~= 16 then
    return redis.error_reply('INVALID change ' .. i)
  end
end
now_is(now)

-- Ids were not told apart by tenant once: <kind>:<id> for what is <kind>:<tenant>|<id> now. Those keys live for 120 days.
local known = {}
local function repeated(id)
  if known[id] == nil then
    known[id] = redis.call('EXISTS', prefix .. 'l:' .. id) == 1
      or redis.call('EXISTS', prefix .. 'l:' .. id:gsub('^(%a+:)[a-z0-9-]+|', '%1')) == 1
  end
  return known[id]
end

-- Counts one label more, or takes one of its type back if there is one.
local function tally(ledger, change)
  local side, untyped = L_FRAUDS, UNTYPED_FRAUD
  if change[FRAUDS] == 0 then side, untyped = L_GENUINE, UNTYPED_GENUINE end
  local types, at = ledger[L_TYPES], change[TYPE] and change[TYPE] > 0 and change[TYPE] or untyped
  if change[FRAUDS] + change[GENUINE] > 0 then
    types[at], ledger[side] = types[at] + 1, ledger[side] + 1
    return
  end
  if types[at] == 0 then at = untyped end
  if types[at] > 0 then types[at], ledger[side] = types[at] - 1, ledger[side] - 1 end
end

local function changed(tx, ledger, change)
  local kind, left = change[KIND], tx[AMOUNT] - ledger[L_BACK]
  local gone, declined, verdict = ledger[L_GONE], ledger[L_DECLINED], ledger[L_VERDICT]
  if kind == 'label' then
    tally(ledger, change)
  elseif kind == 'reverse' then
    ledger[L_BACK] = math.min(ledger[L_BACK] + change[TAKEN], tx[AMOUNT])
  else
    ledger[L_BACK], ledger[L_GONE] = tx[AMOUNT], 1
    if kind == 'decline' then ledger[L_DECLINED] = 1 end
  end
  if ledger[L_COUNTED] == 1 then adjust(tx, ledger, left, gone, declined, verdict) end
end

local function amended(change)
  local tx = change[OF]
  local id, kind = tx[ID], change[KIND]
  local ledger = ledger_of(id) or new_ledger(id)
  if ledger[L_COUNTED] == 0 then
    local stored = redis.call('GET', prefix .. 'd:' .. id)
    if stored then
      ledger[L_COUNTED], ledger[L_PRINT] = 1, unpack_(stored)[2]
    elseif tx[TIME] <= now - horizon_s then
      ledger[L_COUNTED], ledger[L_PRINT] = 1, tx[PRINT]
    end
  end
  if kind ~= 'label' and ledger[L_PRINT] ~= '' and ledger[L_PRINT] ~= tx[PRINT] then return 'c' end
  known[change[CHANGE]] = 'new'
  if kind == 'advice' then
    if ledger[L_COUNTED] == 1 then return 'r' end
    arrive(tx, ledger)
    return 'p'
  end
  changed(tx, ledger, change)
  keep_ledger(id, ledger)
  return ledger[L_COUNTED] == 1 and 'a' or 'p'
end

local status, refused = {}, false
for i, change in ipairs(batch) do
  status[i] = repeated(change[CHANGE]) and 'r' or amended(change)
  refused = refused or status[i] == 'c'
end
save_all()
save_ledgers(memory_s)
for id, how in pairs(known) do
  if how == 'new' then redis.call('SET', prefix .. 'l:' .. id, '1', 'EX', memory_s) end
end
if not refused then redis.call('HSET', prefix .. 'amended', input, position) end
return table.concat(status)
