-- Says which version the data are of, after writing ours where there are none: '' for data that have lost
-- it. It does everything once that the other scripts do, so that a right that is missing or a replica shows
-- at the start.
-- KEYS: version, revision, counters, names, and a hash, a sorted set and a string to try with.
-- ARGV: our version, channel.
local hash, set, text = KEYS[5], KEYS[6], KEYS[7]
local version = redis.call('GET', KEYS[1])
if not version then
	if redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4]) > 0 then
		return ''
	end
	redis.call('SET', KEYS[1], ARGV[1])
	version = ARGV[1]
end
redis.call('TIME')
redis.call('PUBLISH', ARGV[2], '')
redis.call('SET', text, '1', 'PX', 60000) -- the first that writes: a full server refuses that one
redis.call('DEL', hash, set)
redis.call('INCR', text)
redis.call('EXISTS', text)
redis.call('HSET', hash, 'a', '1', 'b', '2')
redis.call('HINCRBY', hash, 'a', 1)
redis.call('HGET', hash, 'a')
redis.call('HMGET', hash, 'a', 'b')
redis.call('HEXISTS', hash, 'a')
redis.call('HDEL', hash, 'a', 'b')
redis.call('ZADD', set, 0, 'a', 0, 'b')
redis.call('ZSCORE', set, 'a')
redis.call('ZRANGEBYLEX', set, '-', '+', 'LIMIT', 0, 1)
redis.call('ZRANGEBYSCORE', set, '-inf', '0', 'LIMIT', 0, 1)
redis.call('ZREM', set, 'a', 'b')
redis.call('DEL', text)
return version
