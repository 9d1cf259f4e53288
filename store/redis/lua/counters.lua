-- Reads a page of counters in the order of their names: names, and values.
-- KEYS: counters, names. ARGV: from, to, how many.
local names = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
if #names == 0 then
	return {names, names}
end
return {names, redis.call('HMGET', KEYS[1], unpack(names))}
