-- Counts requests of rate limits, by this server's clock, and answers three numbers a key: of a sliding window its age in
-- milliseconds, the count before it and its own; of a leaky bucket how many microseconds it is from empty.
-- KEYS key...   ARGV {w period_ms count | b microseconds_each count}...
local time = redis.call('TIME')
local out = {}
for i, key in ipairs(KEYS) do
  local kind, length, count = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local held = redis.pcall('GETRANGE', key, 0, 63)
  if type(held) ~= 'string' then held = '' end
  if kind == 'w' then
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local began, before, counted = string.match(held, '^(%d+) (%d+) (%d+)$')
    began, before, counted = tonumber(began) or now, tonumber(before) or 0, tonumber(counted) or 0
    if began > now then began = now end
    local passed = math.floor((now - began) / length)
    if passed > 0 then
      before = passed == 1 and counted or 0
      counted = 0
      began = began + passed * length
    end
    before, counted = math.min(before, 1e9), math.min(counted + count, 1e9)
    redis.call('SET', key, string.format('%.0f %.0f %.0f', began, before, counted), 'PX', 2 * length)
    out[#out + 1] = now - began
    out[#out + 1] = before
    out[#out + 1] = counted
  else
    local now = time[1] * 1000000 + time[2]
    local empty = math.max(tonumber(string.match(held, '^%d+$')) or 0, now)
    empty = math.min(empty + length * count, now + 1e14)
    redis.call('SET', key, string.format('%.0f', empty), 'PX', math.ceil((empty - now) / 1000) + 1)
    out[#out + 1] = empty - now
    out[#out + 1] = 0
    out[#out + 1] = 0
  end
end
return out
