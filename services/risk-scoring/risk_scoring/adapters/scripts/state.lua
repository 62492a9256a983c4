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
local floor, max, sqrt = math.floor, math.max, math.sqrt
local pack, unpack_ = cmsgpack.pack, cmsgpack.unpack

local EMPTY = pack({})

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

-- Adds (or, with negative numbers, takes away) in the tile that t falls in. A time whose tile has expired changes nothing.
local function add_at(state, t, count, amount)
  local hour = floor(t / 3600)
  local square = amount * amount
  if count < 0 or amount < 0 then square = -square end
  if hour == state[HOUR] then
    state[COUNT], state[SUM], state[SUMSQ] = state[COUNT] + count, state[SUM] + amount, max(state[SUMSQ] + square, 0)
    if amount > state[MAX] then state[MAX] = amount end
  elseif hour > state[HOUR] - HOURS then
    local hours = unpack_(state[HOUR_TILES])
    add_tile(hours, hour, count, amount, square, max(amount, 0))
    state[HOUR_TILES] = pack(hours)
    state[CACHED] = false
  elseif floor(hour / 24) > floor(state[HOUR] / 24) - DAYS then
    local days = unpack_(state[DAY_TILES])
    add_tile(days, floor(hour / 24), count, amount, square, max(amount, 0))
    state[DAY_TILES] = pack(days)
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

local function entity(key, t)
  local state = load(key)
  if not state then state = fresh(t) end
  advance(state, t)
  return state
end

-- Counts one transaction in the state of all its entities.
local function apply(tx)
  local t, amount = tx[TIME], tx[AMOUNT]
  local customer = entity('c:' .. tx[CUSTOMER], t)
  add_at(customer, t, 1, amount)
  recent(customer[RECENT], t, amount)
  if tx[PARTY] ~= '' then touch(customer[PEER], short(tx[PARTY]), t, PEERS) end
  if tx[DEVICE] ~= '' then touch(customer[PEER2], short(tx[DEVICE]), t, EDGES) end
  if tx[PLACE] ~= 0 and t >= customer[GEO_T] then customer[GEO], customer[GEO_T] = tx[PLACE], t end
  keep('c:' .. tx[CUSTOMER], customer)
  if tx[PARTY] ~= '' then
    local party = entity('p:' .. tx[PARTY], t)
    add_at(party, t, 1, amount)
    recent(party[RECENT], t, amount)
    touch(party[PEER], short(tx[CUSTOMER]), t, PEERS)
    keep('p:' .. tx[PARTY], party)
  end
  if tx[DEVICE] ~= '' then
    local device = entity('v:' .. tx[DEVICE], t)
    add_at(device, t, 1, amount)
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

-- A correction as the caller packs it: kind ('label', 'decline', 'cancel', 'reverse', 'advice'), transaction, frauds, genuine, amount.
local KIND, OF, FRAUDS, GENUINE, TAKEN = 1, 2, 3, 4, 5

local function correct(change)
  local tx = change[OF]
  local kind, t = change[KIND], tx[TIME]
  if kind == 'advice' then return apply(tx) end
  local keys = { 'c:' .. tx[CUSTOMER] }
  if tx[PARTY] ~= '' then keys[#keys + 1] = 'p:' .. tx[PARTY] end
  if tx[DEVICE] ~= '' then keys[#keys + 1] = 'v:' .. tx[DEVICE] end
  for _, key in ipairs(keys) do
    if kind == 'label' then
      label_entity(key, t, change[FRAUDS], change[GENUINE])
    else
      local state = load(key)
      if state then
        add_at(state, t, kind == 'reverse' and 0 or -1, -change[TAKEN])
        if kind == 'decline' then
          state[DECLINED][#state[DECLINED] + 1] = t
          if #state[DECLINED] > EDGES then table.remove(state[DECLINED], 1) end
        end
        keep(key, state)
      end
    end
  end
end

-- Counts a transaction when it comes, together with what was reported about it before (parked by amend). A stand-in advice has counted it.
local function count(tx)
  local early = redis.call('GETDEL', prefix .. 'k:' .. tx[ID])
  local changes = early and unpack_(early) or {}
  local advised = false
  for _, change in ipairs(changes) do advised = advised or change[KIND] == 'advice' end
  if not advised then apply(tx) end
  for _, change in ipairs(changes) do if change[KIND] ~= 'advice' then correct(change) end end
end

local function generation_ok(expected)
  return redis.call('GET', prefix .. 'generation') == expected
end
