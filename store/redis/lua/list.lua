-- Reads a step of a table: whether there may be more, the id that the next step begins behind, and id, head
-- and body of each document.
-- KEYS: ids, heads, bodies. ARGV: where it begins, how many ids to look at, how many bytes are enough.
local ids = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
if #ids == 0 then
	return {0, ''}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local heads = redis.call('HMGET', KEYS[2], unpack(ids))
local answer, size = {0, ids[#ids]}, 0
if #ids == tonumber(ARGV[2]) then
	answer[1] = 1
end
for i, id in ipairs(ids) do
	local head = heads[i]
	local expires = head and tonumber(string.match(head, '^%d+ (%d+)$')) or 0
	if expires == 0 or expires > now then
		local body = redis.call('HGET', KEYS[3], id)
		if head or body then
			answer[#answer + 1] = id
			answer[#answer + 1] = head
			answer[#answer + 1] = body
			size = size + (body and #body or 0)
		end
	end
	if size >= tonumber(ARGV[3]) and i < #ids then
		answer[1], answer[2] = 1, id
		break
	end
end
return answer
