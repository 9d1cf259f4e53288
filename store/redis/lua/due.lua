-- What has expired, the longest first.
-- KEYS: expiries. ARGV: how many.
local now = redis.call('TIME')
local before = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'LIMIT', 0, ARGV[1])
