-- Collections as they are: how many milliseconds they live, and their fields. One that is not there lives -2, one that is
-- none or larger than any of ours -3.
-- KEYS collection...   ARGV fields_max bytes_max
local out = {}
for _, key in ipairs(KEYS) do
  local kind, found = redis.call('TYPE', key).ok, {-3}
  if kind == 'none' then
    found = {-2}
  elseif kind == 'hash' and redis.call('HLEN', key) <= tonumber(ARGV[1]) then
    local fields, bytes = redis.call('HGETALL', key), 0
    for _, text in ipairs(fields) do bytes = bytes + #text end
    if bytes <= tonumber(ARGV[2]) then found = {redis.call('PTTL', key), fields} end
  end
  out[#out + 1] = found
end
return out
