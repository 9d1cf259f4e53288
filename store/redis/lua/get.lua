-- Reads a document: 0 for none, 1 for half of one, else its head and body.
-- KEYS: heads, bodies. ARGV: id.
local head = redis.call('HGET', KEYS[1], ARGV[1])
if not head then
	return redis.call('HEXISTS', KEYS[2], ARGV[1])
end
local expires = tonumber(string.match(head, '^%d+ (%d+)$'))
if expires and expires > 0 then
	local now = redis.call('TIME')
	if expires <= now[1] * 1000 + math.floor(now[2] / 1000) then
		return 0
	end
end
return {head, redis.call('HGET', KEYS[2], ARGV[1])}
