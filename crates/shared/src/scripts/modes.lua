-- Stores words on services' modes where they are later than what stands here. Answers the number of changes, and where it is
-- not the sender's, every service with its word.
-- KEYS modes serial   ARGV serial services_max word_bytes_max {service word}...
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What somebody else wrote in our place goes.
for i, kind in ipairs({'hash', 'string'}) do
  local there = redis.call('TYPE', KEYS[i]).ok
  if there ~= kind and there ~= 'none' then redis.call('DEL', KEYS[i]) end
end
local count = redis.call('GETRANGE', KEYS[2], 0, 31)
if not string.match(count, '^%d*$') or #count > 18 then redis.call('DEL', KEYS[2]) end

-- The time of a word; nothing where it is none, or from so far ahead that nobody could ever say another one.
local function at(word)
  if not word or #word > tonumber(ARGV[3]) then return nil end
  local digits = string.match(string.sub(word, 1, 17), '^(%d+)\n')
  if not digits or #digits ~= 16 or tonumber(digits) > now + 86400000 then return nil end
  return tonumber(digits)
end

for i = 4, #ARGV, 2 do
  local service, word = ARGV[i], ARGV[i + 1]
  local stored = redis.call('HGET', KEYS[1], service)
  local here, new = at(stored), at(word)
  if new and (not here or new > here) and (stored or redis.call('HLEN', KEYS[1]) < tonumber(ARGV[2])) then
    redis.call('HSET', KEYS[1], service, word)
    -- Above all numbers of a history before this one, which changed less than a thousand times a millisecond.
    if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SET', KEYS[2], string.format('%.0f', now * 1000)) end
    redis.call('INCR', KEYS[2])
  end
end
local serial = redis.call('GETRANGE', KEYS[2], 0, 31)
local out = {serial}
if serial == ARGV[1] or redis.call('HLEN', KEYS[1]) > 2 * tonumber(ARGV[2]) then return out end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if #all[i] <= tonumber(ARGV[3]) and #all[i + 1] <= tonumber(ARGV[3]) then
    out[#out + 1] = all[i]
    out[#out + 1] = all[i + 1]
  end
end
return out
