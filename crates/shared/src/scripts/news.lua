-- What has changed in the lists since a serial number, a page at a time, each entry as it stands now.
-- Numbers that no count of ours reaches are somebody else's.
-- KEYS epoch serial entries changes   ARGV since page_max record_bytes_max
local out = {redis.call('GETRANGE', KEYS[1], 0, 63), redis.call('GETRANGE', KEYS[2], 0, 31)}
local page = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. ARGV[1], '1e15', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #page, 2 do
  local id, record = page[i], ''
  if #id > 1024 then
    id = ''
  else
    record = redis.call('HGET', KEYS[3], id) or ''
    if #record > tonumber(ARGV[3]) then record = '?' end
  end
  out[#out + 1] = string.format('%.0f', page[i + 1])
  out[#out + 1] = id
  out[#out + 1] = record
end
return out
