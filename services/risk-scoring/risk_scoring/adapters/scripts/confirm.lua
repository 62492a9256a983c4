-- Is the store still the one that decided? ARGV[1] prefix, ARGV[2] the generation that decided. A restart shows by the script being gone.
prefix = ARGV[1]
if not generation_ok(ARGV[2]) then return redis.error_reply('GENERATION the store was restored or forgot') end
return 1
