-- Writes a document if it is as expected: its new revision, or 'conflict', or 'broken'.
-- KEYS: heads, bodies, ids, expiries, revision. ARGV: id, the revision expected (-1 for any), expiry, body,
-- the id among the expiries, channel, notice.
-- What can fail comes before the first write: a script is not taken back.
local id, expires = ARGV[1], ARGV[3]
local head = redis.call('HGET', KEYS[1], id)
local body = redis.call('HEXISTS', KEYS[2], id) == 1
redis.call('ZSCORE', KEYS[3], id)
redis.call('ZSCORE', KEYS[4], ARGV[5])
local rev, old = '0', '0'
if head then
	rev, old = string.match(head, '^(%d+) (%d+)$')
end
if not rev or (head and not body) or (body and not head) then
	return 'broken'
end
if old ~= '0' then
	local now = redis.call('TIME')
	if tonumber(old) <= now[1] * 1000 + math.floor(now[2] / 1000) then
		rev = '0'
	end
end
if ARGV[2] ~= '-1' and ARGV[2] ~= rev then
	return 'conflict'
end
redis.call('PUBLISH', ARGV[6], ARGV[7])
redis.call('INCR', KEYS[5])
rev = string.format('%.0f', tonumber(rev) + 1)
redis.call('HSET', KEYS[1], id, rev .. ' ' .. expires)
redis.call('HSET', KEYS[2], id, ARGV[4])
redis.call('ZADD', KEYS[3], 0, id)
if expires ~= '0' then
	redis.call('ZADD', KEYS[4], expires, ARGV[5])
elseif old ~= '0' then
	redis.call('ZREM', KEYS[4], ARGV[5])
end
return rev
