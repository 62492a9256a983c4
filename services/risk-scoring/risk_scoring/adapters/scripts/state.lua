-- Shared head of every script: how one entity's state is packed, and how a transaction, a label or a correction changes it.
--
-- An entity (customer c:, counterparty p:, device v:) is ONE value: a MessagePack array. Positions beyond those known here are kept as they are,
-- so that an older script does not destroy what a newer one wrote. Nothing here reads a clock: time is an argument.
local LAYOUT = 1
local HOURS, DAYS, DELAY_D = 168, 45, 7       -- hour tiles of 7 days; day tiles behind them; label delay of the risk windows
local RECENTS, PEERS, EDGES = 12, 32, 8
local ENTITY_TTL_S = string.format('%d', (DAYS + 8) * 86400)
local VERSION, HOUR, COUNT, SUM, SUMSQ, MAX, HOUR_TILES, DAY_TILES, CACHED, RECENT, PEER, LABELS, FIRST, GEO, GEO_T, PEER2, DECLINED =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17
-- CACHED: sums over closed tiles, valid while HOUR stays:
local C24, S24, C7, S7, C30, S30, Q30, M30, FRAUD30, RISK1, RISK7, RISK30 = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

local prefix
local loaded, dirty = {}, {}
local latest = 1e9 -- no entity is in a later hour than this; `now_is` sets it
local floor, max, sqrt = math.floor, math.max, math.sqrt
local pack, unpack_ = cmsgpack.pack, cmsgpack.unpack

local EMPTY = pack({})

-- What is known of a transaction, under d:<id> for the dedupe horizon: {1, fingerprint, schema, vector, partition, offset} observed,
-- {2, fingerprint, decision, audit} decided, {3, fingerprint, topic id, partition, offset} decided, and that is where its record stands (D25).
local DECIDED, RECORDED = 2, 3

-- Appends where a decision stands: topic id, partition, offset.
local function place_of(entry, extras)
  local n = #extras
  extras[n + 1], extras[n + 2], extras[n + 3] = entry[3], string.format('%d', entry[4]), string.format('%d', entry[5])
end

local function now_is(now)
  latest = floor(now / 3600) + 24
end

local function fresh(t)
  return { LAYOUT, floor(t / 3600), 0, 0, 0, 0, EMPTY, EMPTY, false, {}, {}, EMPTY, t, 0, 0, {}, {} }
end

-- Most entities have few tiles and no labels: what is empty is not unpacked.
local function opened(packed)
  if packed == EMPTY then return {} end
  return unpack_(packed)
end

-- Returns the state under a key, or nil when the entity was never seen.
local function load(key)
  local state = loaded[key]
  if state == nil then
    local packed = redis.call('GET', prefix .. key)
    state = packed and unpack_(packed) or false
    loaded[key] = state
  end
  return state or nil
end

local function keep(key, state)
  loaded[key] = state
  dirty[key] = true
end

local function save_all()
  for key in pairs(dirty) do
    redis.call('SET', prefix .. key, pack(loaded[key]), 'EX', ENTITY_TTL_S)
  end
end

-- Adds (count, sum, sum of squares, max) to the tile `at` of a flat, ascending array [at, count, sum, sumsq, max, ...].
local function add_tile(tiles, at, count, sum, sumsq, top)
  local n = #tiles
  local i = n - 4
  while i >= 1 and tiles[i] > at do i = i - 5 end
  if i >= 1 and tiles[i] == at then
    tiles[i + 1] = tiles[i + 1] + count
    tiles[i + 2] = tiles[i + 2] + sum
    tiles[i + 3] = tiles[i + 3] + sumsq
    if top > tiles[i + 4] then tiles[i + 4] = top end
    return
  end
  for j = n, i + 5, -1 do tiles[j + 5] = tiles[j] end
  tiles[i + 5], tiles[i + 6], tiles[i + 7], tiles[i + 8], tiles[i + 9] = at, count, sum, sumsq, top
end

-- Frauds among labels of transaction days first..last, and all transactions of those days.
local function rate(labels, days, first, last)
  local frauds, count = 0, 0
  for i = 1, #labels, 3 do
    if labels[i] >= first and labels[i] <= last then frauds = frauds + labels[i + 1] end
  end
  if frauds == 0 then return 0 end
  for i = 1, #days, 5 do
    if days[i] >= first and days[i] <= last then count = count + days[i + 1] end
  end
  return frauds / max(count, frauds, 1)
end

local function recompute(state, hours, days)
  local hour = state[HOUR]
  local today = floor(hour / 24)
  hours, days = hours or opened(state[HOUR_TILES]), days or opened(state[DAY_TILES])
  local c24, s24, c7, s7, q, m = 0, 0, 0, 0, 0, 0
  for i = 1, #hours, 5 do
    local count, sum = hours[i + 1], hours[i + 2]
    c7, s7, q = c7 + count, s7 + sum, q + hours[i + 3]
    if hours[i + 4] > m then m = hours[i + 4] end
    if hours[i] > hour - 24 then c24, s24 = c24 + count, s24 + sum end
  end
  local c30, s30 = c7, s7
  for i = 1, #days, 5 do
    if days[i] > today - 30 then
      c30, s30, q = c30 + days[i + 1], s30 + days[i + 2], q + days[i + 3]
      if days[i + 4] > m then m = days[i + 4] end
    end
  end
  local fraud, risk1, risk7, risk30 = 0, 0, 0, 0
  local labels = opened(state[LABELS])
  if #labels > 0 then
    for i = 1, #labels, 3 do
      if labels[i] > today - 30 then fraud = fraud + labels[i + 1] end
    end
    local last = today - DELAY_D - 1
    risk1, risk7, risk30 = rate(labels, days, last, last), rate(labels, days, last - 6, last), rate(labels, days, last - 29, last)
  end
  state[CACHED] = { c24, s24, c7, s7, c30, s30, q, m, fraud, risk1, risk7, risk30 }
end

-- Closes the current tile and moves on to the hour of t. Hours older than seven days are merged into days, days older than DAYS are dropped.
local function advance(state, t)
  local hour = floor(t / 3600)
  if hour > state[HOUR] then
    local hours = opened(state[HOUR_TILES])
    if state[COUNT] ~= 0 or state[SUM] ~= 0 then add_tile(hours, state[HOUR], state[COUNT], state[SUM], state[SUMSQ], state[MAX]) end
    local cut, left = hour - HOURS, nil
    if #hours > 0 and hours[1] <= cut then
      local days, kept = unpack_(state[DAY_TILES]), {}
      for i = 1, #hours, 5 do
        if hours[i] <= cut then
          add_tile(days, floor(hours[i] / 24), hours[i + 1], hours[i + 2], hours[i + 3], hours[i + 4])
        else
          for j = i, i + 4 do kept[#kept + 1] = hours[j] end
        end
      end
      local oldest, live = floor(hour / 24) - DAYS, {}
      for i = 1, #days, 5 do
        if days[i] > oldest then for j = i, i + 4 do live[#live + 1] = days[j] end end
      end
      state[DAY_TILES] = pack(live)
      hours, left = kept, live
    end
    state[HOUR_TILES] = pack(hours)
    state[HOUR], state[COUNT], state[SUM], state[SUMSQ], state[MAX] = hour, 0, 0, 0, 0
    recompute(state, hours, left)
  elseif not state[CACHED] then
    recompute(state)
  end
end

-- Adds one transaction in the tile that t falls in. A time whose tile has expired changes nothing.
local function add_at(state, t, amount)
  local hour = floor(t / 3600)
  local square = amount * amount
  if hour == state[HOUR] then
    state[COUNT], state[SUM], state[SUMSQ] = state[COUNT] + 1, state[SUM] + amount, state[SUMSQ] + square
    if amount > state[MAX] then state[MAX] = amount end
  elseif hour > state[HOUR] - HOURS then
    local hours = unpack_(state[HOUR_TILES])
    add_tile(hours, hour, 1, amount, square, amount)
    state[HOUR_TILES] = pack(hours)
    state[CACHED] = false
  elseif floor(hour / 24) > floor(state[HOUR] / 24) - DAYS then
    local days = unpack_(state[DAY_TILES])
    add_tile(days, floor(hour / 24), 1, amount, square, amount)
    state[DAY_TILES] = pack(days)
    state[CACHED] = false
  end
end

-- Takes away from the tile `at` of a flat array, if there is one, what was added to it before; never more than there is.
local function take_tile(packed, at, count, sum, sumsq)
  local tiles = unpack_(packed)
  for i = 1, #tiles, 5 do
    if tiles[i] == at then
      tiles[i + 1], tiles[i + 2], tiles[i + 3] = max(tiles[i + 1] - count, 0), max(tiles[i + 2] - sum, 0), max(tiles[i + 3] - sumsq, 0)
      return pack(tiles)
    end
  end
  return packed
end

local function take_at(state, t, count, sum, sumsq)
  local hour = floor(t / 3600)
  if hour == state[HOUR] then
    state[COUNT], state[SUM], state[SUMSQ] = max(state[COUNT] - count, 0), max(state[SUM] - sum, 0), max(state[SUMSQ] - sumsq, 0)
  elseif hour > state[HOUR] - HOURS then
    state[HOUR_TILES] = take_tile(state[HOUR_TILES], hour, count, sum, sumsq)
    state[CACHED] = false
  else
    state[DAY_TILES] = take_tile(state[DAY_TILES], floor(hour / 24), count, sum, sumsq)
    state[CACHED] = false
  end
end

-- Puts an [id, time, ...] pair into a flat array of the most recently seen; the oldest goes when it is full.
local function touch(pairs_, id, t, limit)
  local oldest, at = nil, nil
  for i = 1, #pairs_, 2 do
    if pairs_[i] == id then
      if t > pairs_[i + 1] then pairs_[i + 1] = t end
      return
    end
    if oldest == nil or pairs_[i + 1] < oldest then oldest, at = pairs_[i + 1], i end
  end
  if #pairs_ >= 2 * limit then pairs_[at], pairs_[at + 1] = id, t
  else pairs_[#pairs_ + 1], pairs_[#pairs_ + 2] = id, t end
end

local function recent(list, t, amount)
  local n = #list
  local i = n - 1
  while i >= 1 and list[i] > t do i = i - 2 end
  for j = n, i + 2, -1 do list[j + 2] = list[j] end
  list[i + 2], list[i + 3] = t, amount
  if #list > 2 * RECENTS then table.remove(list, 1) table.remove(list, 1) end
end

local function short(key)
  return key ~= '' and struct.unpack('<I4', key) or 0
end

-- A transaction as the caller packs it: id, fingerprint, customer, counterparty, device, account keys, time (s), amount (minor units of the
-- reference currency), channel, local hour, weekday, place.
local ID, PRINT, CUSTOMER, PARTY, DEVICE, ACCOUNT, TIME, AMOUNT, CHANNEL, LOCAL_HOUR, WEEKDAY, PLACE = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
local TRANSFER = 3

-- A state whose clock runs ahead of everything that can be true stands still for ever: a transaction of the far future was counted in it
-- once. It begins anew; its tiles went when it jumped ahead.
local function thawed(state, t)
  local anew = fresh(t)
  anew[FIRST], anew[LABELS] = math.min(state[FIRST], t), state[LABELS]
  for i = DECLINED + 1, #state do anew[i] = state[i] end
  return anew
end

local function entity(key, t)
  local state = load(key)
  if not state then
    state = fresh(t)
  elseif state[HOUR] > latest and state[HOUR] > t / 3600 + 24 then
    state = thawed(state, t)
  end
  advance(state, t)
  return state
end

-- Counts one transaction in the state of all its entities.
local function apply(tx)
  local t, amount = tx[TIME], tx[AMOUNT]
  local customer = entity('c:' .. tx[CUSTOMER], t)
  add_at(customer, t, amount)
  recent(customer[RECENT], t, amount)
  if tx[PARTY] ~= '' then touch(customer[PEER], short(tx[PARTY]), t, PEERS) end
  if tx[DEVICE] ~= '' then touch(customer[PEER2], short(tx[DEVICE]), t, EDGES) end
  if tx[PLACE] ~= 0 and t >= customer[GEO_T] then customer[GEO], customer[GEO_T] = tx[PLACE], t end
  keep('c:' .. tx[CUSTOMER], customer)
  if tx[PARTY] ~= '' then
    local party = entity('p:' .. tx[PARTY], t)
    add_at(party, t, amount)
    recent(party[RECENT], t, amount)
    touch(party[PEER], short(tx[CUSTOMER]), t, PEERS)
    keep('p:' .. tx[PARTY], party)
  end
  if tx[DEVICE] ~= '' then
    local device = entity('v:' .. tx[DEVICE], t)
    add_at(device, t, amount)
    touch(device[PEER], short(tx[CUSTOMER]), t, PEERS)
    keep('v:' .. tx[DEVICE], device)
  end
  if tx[CHANNEL] == TRANSFER and tx[PARTY] ~= '' then
    local edges = load('g:' .. tx[ACCOUNT]) or {}
    touch(edges, tx[PARTY], t, EDGES)
    keep('g:' .. tx[ACCOUNT], edges)
  end
end

-- Adds label counts (frauds, genuine) on the transaction's day to one entity.
local function label_entity(key, t, frauds, genuine)
  local state = load(key) or fresh(t)
  if state[HOUR] > latest then state = thawed(state, t) end
  local labels, day = unpack_(state[LABELS]), floor(t / 86400)
  local oldest, kept, found = floor(state[HOUR] / 24) - DAYS, {}, false
  for i = 1, #labels, 3 do
    if labels[i] == day then
      labels[i + 1], labels[i + 2], found = max(labels[i + 1] + frauds, 0), max(labels[i + 2] + genuine, 0), true
    end
    if labels[i] > oldest then kept[#kept + 1], kept[#kept + 2], kept[#kept + 3] = labels[i], labels[i + 1], labels[i + 2] end
  end
  if not found and day > oldest then kept[#kept + 1], kept[#kept + 2], kept[#kept + 3] = day, max(frauds, 0), max(genuine, 0) end
  state[LABELS] = pack(kept)
  state[CACHED] = false
  keep(key, state)
end

-- A correction as the caller packs it: kind ('label', 'decline', 'cancel', 'reverse', 'advice'), transaction, frauds, genuine, amount, change id,
-- type of the label.
local KIND, OF, FRAUDS, GENUINE, TAKEN, CHANGE, TYPE = 1, 2, 3, 4, 5, 6, 7

local function keys_of(tx)
  local keys = { 'c:' .. tx[CUSTOMER] }
  if tx[PARTY] ~= '' then keys[#keys + 1] = 'p:' .. tx[PARTY] end
  if tx[DEVICE] ~= '' then keys[#keys + 1] = 'v:' .. tx[DEVICE] end
  return keys
end

local function label(tx, frauds, genuine)
  if frauds == 0 and genuine == 0 then return end
  for _, key in ipairs(keys_of(tx)) do label_entity(key, tx[TIME], frauds, genuine) end
end

-- What became of one transaction, ONE value under k:<id> for as long as reports of it may repeat; absent for most. It remembers what was taken
-- back, so that a payment that is reversed under three ids is taken back once, and waits for a transaction that is still to come.
--   1 layout, 2 fingerprint of what was counted ('' not known), 3 counted already, 4 amount taken back, 5 the count taken back, 6 counted as declined,
--   7 verdict counted (0 none, 1 fraud, 2 genuine), 8 frauds, 9 genuine: labels in force, 10 labels in force by type, then of no known type.
-- Before layout 2 it was the list of changes that waited, and the labels stood under y:<id>.
local LEDGER = 2
local L_PRINT, L_COUNTED, L_BACK, L_GONE, L_DECLINED, L_VERDICT, L_FRAUDS, L_GENUINE, L_TYPES = 2, 3, 4, 5, 6, 7, 8, 9, 10
local UNTYPED_FRAUD, UNTYPED_GENUINE = 8, 9
local ledgers, ledgers_dirty = {}, {}

local function verdict_of(frauds, genuine)
  return frauds > 0 and 1 or genuine > 0 and 2 or 0
end

local function new_ledger(id)
  local packed = redis.call('GET', prefix .. 'y:' .. id)
  local labels = packed and unpack_(packed) or { 0, 0 }
  local frauds, genuine = max(labels[1], 0), max(labels[2], 0)
  return { LEDGER, '', 0, 0, 0, 0, verdict_of(frauds, genuine), frauds, genuine, { 0, 0, 0, 0, 0, 0, 0, frauds, genuine } }
end

local function keep_ledger(id, ledger)
  ledgers[id] = ledger
  ledgers_dirty[id] = true
end

-- Writes what was kept. `memory_s`: how long ledgers live from now on; without it as long as before.
local function save_ledgers(memory_s)
  for id in pairs(ledgers_dirty) do
    if memory_s then redis.call('SET', prefix .. 'k:' .. id, pack(ledgers[id]), 'EX', memory_s)
    else redis.call('SET', prefix .. 'k:' .. id, pack(ledgers[id]), 'KEEPTTL') end
  end
end

-- Brings the entities from `left` (what the transaction still counted for) to what the ledger leaves of it.
local function adjust(tx, ledger, left, gone, declined, verdict)
  local t, rest = tx[TIME], tx[AMOUNT] - ledger[L_BACK]
  local count, sum, decline = ledger[L_GONE] - gone, left - rest, ledger[L_DECLINED] - declined
  if count > 0 or sum > 0 or decline > 0 then
    for _, key in ipairs(keys_of(tx)) do
      local state = load(key)
      if state then
        take_at(state, t, count, sum, left * left - rest * rest)
        if decline > 0 then
          state[DECLINED][#state[DECLINED] + 1] = t
          if #state[DECLINED] > EDGES then table.remove(state[DECLINED], 1) end
        end
        keep(key, state)
      end
    end
  end
  local now = verdict_of(ledger[L_FRAUDS], ledger[L_GENUINE])
  label(tx, (now == 1 and 1 or 0) - (verdict == 1 and 1 or 0), (now == 2 and 1 or 0) - (verdict == 2 and 1 or 0))
  ledger[L_VERDICT] = now
end

-- A transaction was counted: now what was reported about it before counts too.
local function arrived(tx, ledger)
  local back = ledger[L_GONE] == 1 and tx[AMOUNT] or math.min(ledger[L_BACK], tx[AMOUNT])
  ledger[L_PRINT], ledger[L_COUNTED], ledger[L_BACK] = tx[PRINT], 1, back
  adjust(tx, ledger, tx[AMOUNT], 0, 0, ledger[L_VERDICT])
end

-- Of layout 1.
local function from_waiting(id, changes)
  local ledger, advised = new_ledger(id), nil
  ledger[L_VERDICT] = 0
  for _, change in ipairs(changes) do
    local kind = change[KIND]
    if kind == 'advice' then advised = change[OF] end
    if kind == 'decline' or kind == 'cancel' then ledger[L_GONE] = 1 end
    if kind == 'decline' then ledger[L_DECLINED] = 1 end
    if kind == 'reverse' then ledger[L_BACK] = ledger[L_BACK] + change[TAKEN] end
  end
  ledgers_dirty[id] = true
  if advised then arrived(advised, ledger) end
  return ledger
end

local function ledger_of(id)
  local ledger = ledgers[id]
  if ledger == nil then
    local packed = redis.call('GET', prefix .. 'k:' .. id)
    ledger = packed and unpack_(packed) or false
    if ledger and type(ledger[1]) == 'table' then ledger = from_waiting(id, ledger) end
    ledgers[id] = ledger
  end
  return ledger
end

local function arrive(tx, ledger)
  apply(tx)
  arrived(tx, ledger)
  keep_ledger(tx[ID], ledger)
end

-- Counts a transaction when it comes. A stand-in advice has counted it.
local function count(tx)
  if redis.call('EXISTS', prefix .. 'k:' .. tx[ID]) == 0 then return apply(tx) end
  local ledger = ledger_of(tx[ID])
  if ledger[L_COUNTED] == 0 then arrive(tx, ledger) end
end

local function generation_ok(expected)
  return redis.call('GET', prefix .. 'generation') == expected
end
