-- Removes documents of one table that have expired: how many. Whoever asks may be late: each is looked at.
-- KEYS: heads, bodies, ids, expiries. ARGV: what stands before an id among the expiries, then ids.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local removed = 0
for i = 2, #ARGV do
	local id, due = ARGV[i], ARGV[1] .. ARGV[i]
	local head = redis.call('HGET', KEYS[1], id)
	local expires = head and tonumber(string.match(head, '^%d+ (%d+)$')) or 0
	if expires == 0 then
		redis.call('ZREM', KEYS[4], due)
	elseif expires > now then
		redis.call('ZADD', KEYS[4], string.format('%.0f', expires), due)
	else
		redis.call('ZREM', KEYS[3], id)
		redis.call('HDEL', KEYS[2], id)
		redis.call('HDEL', KEYS[1], id)
		redis.call('ZREM', KEYS[4], due)
		removed = removed + 1
	end
end
return removed
