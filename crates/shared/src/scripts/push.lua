-- Stores how entries stand, where that beats how they stand here. Answers each that was not stored, with how it stands;
-- with '' where it is not here any more although the sender knows that it was.
-- KEYS epoch serial entries changes ends   ARGV epoch entries_max record_bytes_max {id record known}...
if redis.call('GETRANGE', KEYS[1], 0, 63) ~= ARGV[1] then return {'epoch'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The begin of a record; nothing where it is none, or from so far ahead that nobody could ever change it.
local function head(record)
  if not record or #record > tonumber(ARGV[3]) then return nil end
  local at, word, ends = string.match(string.sub(record, 1, 36), '^(%d+) ([par]) (%d+) $')
  if not at or #at ~= 16 or #ends ~= 16 then return nil end
  at, ends = tonumber(at), tonumber(ends)
  if at > now + 86400000 then return nil end
  return {at = at, word = word, ends = ends, peoples = word == 'p' and (ends == 0 or ends > now)}
end

-- As palisade_lists::Record::beats.
local function beats(one, other)
  if one.peoples and other.word == 'a' then return true end
  if one.word == 'a' and other.peoples then return false end
  return one.at > other.at
end

local out = {'ok'}
for i = 4, #ARGV, 3 do
  local id, record, known = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local stored = redis.call('HGET', KEYS[3], id)
  local here, new = head(stored), head(record)
  if not new then
    -- One of ours is never so; a clock that is a day ahead is told nothing.
  elseif not stored and known == '1' then
    out[#out + 1] = id
    out[#out + 1] = ''
  elseif here and not beats(new, here) then
    if stored ~= record then
      out[#out + 1] = id
      out[#out + 1] = stored
    end
  elseif stored or redis.call('HLEN', KEYS[3]) < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[3], id, record)
    redis.call('ZADD', KEYS[4], redis.call('INCR', KEYS[2]), id)
    if new.ends > 0 then
      redis.call('ZADD', KEYS[5], new.ends, id)
    else
      redis.call('ZREM', KEYS[5], id)
    end
  end
end
return out
