-- ARGV: prefix, ms for which ends are remembered, ids whose ends stand in the log.
for place = 3, #ARGV do settled(ARGV[place], ARGV[2]) end
return #ARGV - 2
