-- Applies operations to collections in order, all of them or, where this batch was applied before, none. What they mean is
-- palisade_engine::MemoryStore's. A variable NAME is three fields: vNAME its value, cNAME when it was changed, eNAME when it
-- vanishes.
-- KEYS seen collection...   ARGV number variables_max {key name kind a b at lifetime_ms}...
local seen = redis.pcall('GET', KEYS[1])
if type(seen) == 'string' and (tonumber(seen) or 0) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', 600000)
for i = 2, #KEYS do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[i]) end
end

-- The integer that a text begins with, as digits that the server reads: its numbers have 64 bits, a script's have 53.
local function integer(text)
  local sign, digits = string.match(text or '', '^[ \t\n\v\f\r]*([+-]?)0*(%d+)')
  if not digits then return '0' end
  sign = sign == '-' and '-' or ''
  if #digits > 19 or (#digits == 19 and digits > '9223372036854775807') then digits = '9223372036854775807' end
  return digits == '0' and '0' or sign .. digits
end

for i = 3, #ARGV, 7 do
  local key, name, kind = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2]
  local a, b, at = ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local value, ends, changed = 'v' .. name, 'e' .. name, 'c' .. name
  local over = tonumber(redis.call('HGET', key, ends) or '')
  if over and over <= tonumber(at) then redis.call('HDEL', key, value, ends, changed) end
  local held = redis.call('HGET', key, value)
  local room = held or redis.call('HLEN', key) < 3 * tonumber(ARGV[2])
  if kind == 's' and room then
    redis.call('HSET', key, value, a, changed, at)
  elseif kind == 'a' and room then
    redis.call('HSET', key, value, integer(held), changed, at)
    local sum = redis.pcall('HINCRBY', key, value, a)
    if type(sum) == 'table' and sum.err then
      local most = string.sub(a, 1, 1) == '-' and '-9223372036854775808' or '9223372036854775807'
      redis.call('HSET', key, value, most)
    end
  elseif kind == 'e' and held then
    redis.call('HSET', key, ends, a)
  elseif kind == 'd' and held then
    local since = tonumber(at) - (tonumber(redis.call('HGET', key, changed) or '') or tonumber(at))
    local periods = math.floor(since / (math.max(tonumber(b), 1) * 1000))
    if periods > 0 then
      local left = math.max(tonumber(integer(held)) - tonumber(a) * periods, 0)
      redis.call('HSET', key, value, string.format('%.0f', left), changed, at)
    end
  elseif kind == 'x' then
    redis.call('HDEL', key, value, ends, changed)
  end
  redis.call('PEXPIRE', key, ARGV[i + 6])
end
return 1
