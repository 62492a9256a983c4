-- ARGV: prefix, lease ms, ms for which ends are remembered, n, then n times id, output tokens, time of them; then ids whose ends stand in the log.
-- Returns for each of the n until when its lease runs, 0 when it is closed, -1 when nothing is known of it (it was forgotten).
-- Ends that stand in the log are told again and again: were one forgotten, with the claim, it must not be closed once more.
local answers, count = {}, tonumber(ARGV[4])
for number = 1, count do
  local place = 5 + 3 * (number - 1)
  local id = ARGV[place]
  local known = redis.call('HMGET', at(id), 's', 'e')
  if known[2] or redis.call('EXISTS', done(id)) == 1 then
    answers[number] = 0
  elseif not known[1] then
    answers[number] = -1
  else
    redis.call('HSET', at(id), 't', ARGV[place + 1], 'a', ARGV[place + 2])
    answers[number] = now + ARGV[2]
    redis.call('ZADD', leases, answers[number], id)
  end
end
for place = 5 + 3 * count, #ARGV do settled(ARGV[place], ARGV[3]) end
return answers
