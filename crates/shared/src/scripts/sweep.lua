-- Forgets entries whose time is over, a minute later, so that clocks need not agree.
-- KEYS entries changes ends   ARGV most
local time = redis.call('TIME')
local over = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', time[1] * 1000 - 60000, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(over) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
end
return #over
