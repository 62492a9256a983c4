-- D4. One call per batch: a stored decision is returned, else a stored vector, else features are read, state is updated and the vector is stored.
--
-- ARGV[1] prefix, ARGV[2] expected generation, ARGV[3] MessagePack {dedupe horizon s, source partition or -1, last source offset, schema version,
-- now s}, ARGV[4] MessagePack array of transactions (see state.lua).
-- Returns {status letters, vectors one after the other, extras}: n new, v stored vector (extra: its schema), d decided (extras: decision, audit),
-- r decided, its record stands elsewhere (extras: topic id, partition, offset; D25), c same id with another fingerprint.
prefix = ARGV[1]
local header, batch = unpack_(ARGV[3]), unpack_(ARGV[4])
local horizon_s, partition, offset, schema, now = string.format('%d', header[1]), header[2], header[3], header[4], header[5]
if not generation_ok(ARGV[2]) then return redis.error_reply('GENERATION the store was restored or forgot') end

now_is(now)

-- Everything is validated before anything is written: a script that fails half-way is not rolled back.
for i, tx in ipairs(batch) do
  for field = ID, ACCOUNT do
    if type(tx[field]) ~= 'string' then return redis.error_reply('INVALID transaction ' .. i .. ' field ' .. field) end
  end
  for field = TIME, PLACE do
    local value = tx[field]
    if type(value) ~= 'number' or value ~= value or value < 0 then return redis.error_reply('INVALID transaction ' .. i .. ' field ' .. field) end
  end
  if #tx[ID] ~= 16 or #tx[CUSTOMER] < 4 then return redis.error_reply('INVALID transaction ' .. i .. ' keys') end
end

local NEVER, DAY = 2592000, 86400
local FEATURES, FORMAT, NAN = 47, '<' .. string.rep('f', 47), string.char(0, 0, 192, 127) -- of the current schema; NaN as little-endian float32

local function since(pairs_, t, window)
  local n = 0
  for i = 2, #pairs_, 2 do if pairs_[i] > t - window then n = n + 1 end end
  return n
end

local function seen(pairs_, id)
  for i = 1, #pairs_, 2 do if pairs_[i] == id then return true end end
  return false
end

local function deviation(amount, count, sum, sumsq)
  if count < 3 then return 0 end
  local mean = sum / count
  local spread = sqrt(max(sumsq / count - mean * mean, 0))
  return (amount - mean) / max(spread, mean * 0.1, 100)
end

-- Length of the shortest way by which money sent to `payee` came back to `payer` within three days, 0 when there is none within three hops.
local function return_hops(payer, payee, t)
  local frontier, looked = { payee }, 0
  for hop = 1, 3 do
    local next_ = {}
    for _, account in ipairs(frontier) do
      if looked >= 16 then return 0 end
      looked = looked + 1
      local edges = load('g:' .. account)
      if edges then
        for i = 1, #edges, 2 do
          if edges[i + 1] > t - 3 * DAY and edges[i + 1] <= latest * 3600 then
            if edges[i] == payer then return hop end
            next_[#next_ + 1] = edges[i]
          end
        end
      end
    end
    frontier = next_
  end
  return 0
end

local function features(tx)
  local t, amount = tx[TIME], tx[AMOUNT]
  local major = amount / 100
  local c = entity('c:' .. tx[CUSTOMER], t)
  local cc = c[CACHED]
  local list = c[RECENT]
  local m1, m10, h1, small, rising = 0, 0, 0, 0, 0
  local last_t, above = nil, amount
  for i = #list - 1, 1, -2 do
    local age = t - list[i]
    if age >= 0 then
      if last_t == nil then last_t = list[i] end
      if age < 60 then m1 = m1 + 1 end
      if age < 600 then m10 = m10 + 1 end
      if age < 3600 then
        h1 = h1 + 1
        if list[i + 1] < 2000 then small = small + 1 end
      end
      if above and age < DAY and list[i + 1] < above then rising, above = rising + 1, list[i + 1] else above = nil end
    end
  end
  local c7, s7 = cc[C7] + c[COUNT], cc[S7] + c[SUM]
  local c30, s30, q30 = cc[C30] + c[COUNT], cc[S30] + c[SUM], cc[Q30] + c[SUMSQ]
  local top = max(cc[M30], c[MAX])
  local device_known = tx[DEVICE] == '' or seen(c[PEER2], short(tx[DEVICE]))
  local party_known = tx[PARTY] == '' or seen(c[PEER], short(tx[PARTY]))
  local moved = c[GEO] ~= 0 and tx[PLACE] ~= 0 and c[GEO] ~= tx[PLACE]
  local declined = 0
  for i = 1, #c[DECLINED] do if c[DECLINED][i] > t - DAY then declined = declined + 1 end end

  local p_age, p1, p24, p7, p_mean, p_z, p_last, p_payers, p_fraud, r1, r7, r30 = 0, 0, 0, 0, 0, 0, NEVER, 0, 0, 0, 0, 0
  if tx[PARTY] ~= '' then
    local p = entity('p:' .. tx[PARTY], t)
    local cached, times = p[CACHED], p[RECENT]
    for i = 1, #times, 2 do if times[i] > t - 3600 and times[i] <= t then p1 = p1 + 1 end end
    if p1 >= RECENTS then p1 = max(p1, p[COUNT]) end
    if #times > 0 then p_last = max(t - times[#times - 1], 0) end
    local n, s = cached[C30] + p[COUNT], cached[S30] + p[SUM]
    p_age = max(t - p[FIRST], 0) / DAY
    p24, p7 = cached[C24] + p[COUNT], cached[C7] + p[COUNT]
    p_mean = n > 0 and s / n / 100 or 0
    p_z = deviation(amount, n, s, cached[Q30] + p[SUMSQ])
    p_payers = since(p[PEER], t, DAY)
    p_fraud, r1, r7, r30 = cached[FRAUD30], cached[RISK1], cached[RISK7], cached[RISK30]
  end

  local v_age, v24, v_customers, v_fraud = 0, 0, 0, 0
  if tx[DEVICE] ~= '' then
    local v = entity('v:' .. tx[DEVICE], t)
    v_age = max(t - v[FIRST], 0) / DAY
    v24 = v[CACHED][C24] + v[COUNT]
    v_customers = since(v[PEER], t, 7 * DAY)
    v_fraud = v[CACHED][FRAUD30]
  end

  local fan_in, pass_through, inflow_age, hops = 0, 0, NEVER, 0
  if tx[CHANNEL] == TRANSFER and tx[PARTY] ~= '' then
    if load('p:' .. tx[ACCOUNT]) then
      local own = entity('p:' .. tx[ACCOUNT], t)
      fan_in = since(own[PEER], t, DAY)
      local inflow = own[CACHED][S24] + own[SUM]
      if inflow > 0 then pass_through = amount / inflow end
      local times = own[RECENT]
      if #times > 0 then inflow_age = max(t - times[#times - 1], 0) end
    end
    hops = return_hops(tx[ACCOUNT], tx[PARTY], t)
  end

  return struct.pack(FORMAT,
    math.log(1 + major), tx[CHANNEL], tx[LOCAL_HOUR], tx[WEEKDAY],
    max(t - c[FIRST], 0) / DAY, m1, m10, h1, cc[C24] + c[COUNT], (cc[S24] + c[SUM]) / 100,
    c7, c7 > 0 and s7 / c7 / 100 or 0, c30, c30 > 0 and s30 / c30 / 100 or 0,
    deviation(amount, c30, s30, q30), top > 0 and amount / top or 0, last_t and t - last_t or NEVER,
    party_known and 0 or 1, since(c[PEER], t, DAY), device_known and 0 or 1, since(c[PEER2], t, 7 * DAY),
    moved and 1 or 0, moved and max(t - c[GEO_T], 0) or NEVER, declined, small, rising,
    p_age, p1, p24, p7, p_mean, p_z, p_last, p_payers,
    v_age, v24, v_customers,
    cc[FRAUD30], p_fraud, r1, r7, r30, v_fraud,
    fan_in, pass_through, inflow_age, hops)
end

-- A vector of another schema in the length of this one: features are only ever added at the end, so the head keeps its meaning.
local function fitted(vector)
  local missing = FEATURES - #vector / 4
  if missing > 0 then return vector .. string.rep(NAN, missing) end
  return vector:sub(1, FEATURES * 4)
end

local status, vectors, extras = {}, {}, {}
for i, tx in ipairs(batch) do
  local key = prefix .. 'd:' .. tx[ID]
  local stored = redis.call('GET', key)
  if stored then
    local entry = unpack_(stored)
    if entry[2] ~= tx[PRINT] then
      status[i] = 'c'
    elseif entry[1] == DECIDED then
      status[i] = 'd'
      extras[#extras + 1] = entry[3]
      extras[#extras + 1] = entry[4]
    elseif entry[1] == RECORDED then
      status[i] = 'r'
      place_of(entry, extras)
    else
      status[i] = 'v'
      vectors[#vectors + 1] = fitted(entry[4])
      extras[#extras + 1] = tostring(entry[3])
    end
  else
    local vector = features(tx)
    count(tx)
    redis.call('SET', key, pack({ 1, tx[PRINT], schema, vector, partition, offset }), 'EX', horizon_s)
    status[i] = 'n'
    vectors[#vectors + 1] = vector
  end
end
save_all()
save_ledgers()
redis.call('SET', prefix .. 'clock', now) -- a restore asks until when this store was alive
local applied = partition >= 0 and tonumber(redis.call('HGET', prefix .. 'applied', partition) or -1)
if partition >= 0 and offset > applied then redis.call('HSET', prefix .. 'applied', partition, offset) end
return { table.concat(status), table.concat(vectors), extras }
