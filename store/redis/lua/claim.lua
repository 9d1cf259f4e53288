-- Takes, renews or gives up a lease: 1 while the owner holds it.
-- KEYS: lease. ARGV: owner, ms; 0 gives it up.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
	return 0
end
if ARGV[2] == '0' then
	if owner then
		redis.call('DEL', KEYS[1])
	end
	return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
