-- Adds to a counter if the sum stays within a limit: whether it did, and what the counter was before.
-- Numbers here are floating point and lie beyond 2^53, so that large ones are two: billions and the rest.
-- KEYS: counters, names. ARGV: name, how much, limit; neither is negative.
local function split(text)
	return tonumber(string.sub(text, 1, -10)) or 0, tonumber(string.sub(text, -9))
end
local was = redis.call('HGET', KEYS[1], ARGV[1])
local used = was or '0'
if #used > 19 or not string.match(used, '^%d+$') then
	return {2, used}
end
local high, low = split(used)
local more, rest = split(ARGV[2])
local most, last = split(ARGV[3])
high, low = high + more, low + rest
if low >= 1e9 then
	high, low = high + 1, low - 1e9
end
if high > most or (high == most and low > last) then
	return {0, used}
end
if ARGV[2] ~= '0' then
	if not was then
		redis.call('ZADD', KEYS[2], 0, ARGV[1])
	end
	redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
end
return {1, used}
