-- Removes a document if it is as expected: 'done', 'none', 'conflict' or 'broken'.
-- KEYS: heads, bodies, ids, expiries, revision. ARGV: id, the revision expected (-1 for any), the id among
-- the expiries, channel, notice.
local id = ARGV[1]
local head = redis.call('HGET', KEYS[1], id)
local body = redis.call('HEXISTS', KEYS[2], id) == 1
redis.call('ZSCORE', KEYS[3], id)
redis.call('ZSCORE', KEYS[4], ARGV[3])
if not head and not body then
	return 'none'
end
local rev, old
if head then
	rev, old = string.match(head, '^(%d+) (%d+)$')
end
if not rev or not body then
	return 'broken'
end
if old ~= '0' then
	local now = redis.call('TIME')
	if tonumber(old) <= now[1] * 1000 + math.floor(now[2] / 1000) then
		return 'none'
	end
end
if ARGV[2] ~= '-1' and ARGV[2] ~= rev then
	return 'conflict'
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
redis.call('INCR', KEYS[5])
redis.call('HDEL', KEYS[1], id)
redis.call('HDEL', KEYS[2], id)
redis.call('ZREM', KEYS[3], id)
redis.call('ZREM', KEYS[4], ARGV[3])
return 'done'
