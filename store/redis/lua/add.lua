-- Applies differences, one after the other, each counter staying between zero and the largest int64: 'done',
-- or the name of a counter that is no number, and then nothing was changed.
-- Numbers here are floating point and lie beyond 2^53, so that large ones are two: billions and the rest.
-- KEYS: counters, names, and the id of the batch if it has one. ARGV: how many ms to remember the id, then
-- name and difference of each.
local function split(text)
	return tonumber(string.sub(text, 1, -10)) or 0, tonumber(string.sub(text, -9))
end
local chunk = 1000 -- values that fit on the stack of unpack
if KEYS[3] and redis.call('EXISTS', KEYS[3]) == 1 then
	return 'done'
end
redis.call('ZSCORE', KEYS[2], '') -- fails where the key is somebody else's, before anything is written

local names, at = {}, {}
for i = 2, #ARGV, 2 do
	if not at[ARGV[i]] then
		names[#names + 1] = ARGV[i]
		at[ARGV[i]] = #names
	end
end
local was, high, low = {}, {}, {}
for from = 1, #names, chunk do
	local found = redis.call('HMGET', KEYS[1], unpack(names, from, math.min(from + chunk - 1, #names)))
	for i, text in ipairs(found) do
		local k = from + i - 1
		if text and (#text > 19 or not string.match(text, '^%d+$')) then
			return names[k]
		end
		was[k] = text
		high[k], low[k] = split(text or '0')
		if high[k] > 9223372036 or (high[k] == 9223372036 and low[k] > 854775807) then
			return names[k]
		end
	end
end
for i = 2, #ARGV, 2 do
	local k, n = at[ARGV[i]], ARGV[i + 1]
	local h, l = high[k], low[k]
	if string.sub(n, 1, 1) == '-' then
		local more, rest = split(string.sub(n, 2))
		h, l = h - more, l - rest
		if l < 0 then
			h, l = h - 1, l + 1e9
		end
		if h < 0 then
			h, l = 0, 0
		end
	else
		local more, rest = split(n)
		h, l = h + more, l + rest
		if l >= 1e9 then
			h, l = h + 1, l - 1e9
		end
		if h > 9223372036 or (h == 9223372036 and l > 854775807) then
			h, l = 9223372036, 854775807
		end
	end
	high[k], low[k] = h, l
end

local set, new, gone = {}, {}, {}
for k, name in ipairs(names) do
	local now = string.format('%.0f', low[k])
	if high[k] > 0 then
		now = string.format('%.0f%09.0f', high[k], low[k])
	end
	if now == '0' then
		if was[k] then
			gone[#gone + 1] = name
		end
	elseif now ~= was[k] then
		set[#set + 1] = name
		set[#set + 1] = now
		if not was[k] then
			new[#new + 1] = '0'
			new[#new + 1] = name
		end
	end
end
if KEYS[3] then
	redis.call('SET', KEYS[3], '1', 'PX', ARGV[1])
end
local function write(command, key, list)
	for from = 1, #list, chunk do
		redis.call(command, key, unpack(list, from, math.min(from + chunk - 1, #list)))
	end
end
write('ZADD', KEYS[2], new)
write('HSET', KEYS[1], set)
write('HDEL', KEYS[1], gone)
write('ZREM', KEYS[2], gone)
return 'done'
