-- Which history this is and how many changes of lists there have been. A history begins where there is none; numbers go on
-- behind the last that was given, whatever became of the count.
-- KEYS epoch serial changes   ARGV proposed
redis.call('SET', KEYS[1], ARGV[1], 'NX')
local last = redis.call('ZREVRANGEBYSCORE', KEYS[3], '1e15', '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2] or '0'
local serial = redis.call('GETRANGE', KEYS[2], 0, 31)
if not string.match(serial, '^%d+$') or tonumber(serial) < tonumber(last) or tonumber(serial) > 1e15 then
  serial = string.format('%.0f', last)
  redis.call('SET', KEYS[2], serial)
end
return {redis.call('GETRANGE', KEYS[1], 0, 63), serial}
