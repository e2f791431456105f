import { Script } from './script.ts'

/**
 * The catalogue in Redis, below `{prefix}catalogue:`. `entries` and `meta` are hashes by id; `live` and each
 * `index:{room}|{user}|{status}` (empty: any) a sorted set of `{created}:{id}`, all of score 0 and so in lexical order.
 */
const CATALOGUE = `
local C = P .. 'catalogue:'
local function indexes(m)
  local names = {}
  local users = m.user == '' and {''} or {'', m.user}
  for _, room in ipairs({'', m.room}) do
    for _, user in ipairs(users) do
      names[#names + 1] = C .. 'index:' .. room .. '|' .. user .. '|'
      names[#names + 1] = C .. 'index:' .. room .. '|' .. user .. '|' .. m.status
    end
  end
  return names
end
local function known(id)
  local text = redis.call('HGET', C .. 'meta', id)
  if not text then return nil end
  local ok, m = pcall(cjson.decode, text)
  if ok and type(m) == 'table' and m.revision and m.member then return m end
  return nil
end
local function is_same(a, b)
  for _, field in ipairs({'member', 'room', 'user', 'status', 'is_live', 'is_limited'}) do
    if a[field] ~= b[field] then return false end
  end
  return true
end
local function leave(id, m)
  for _, name in ipairs(indexes(m)) do redis.call('ZREM', name, m.member) end
  redis.call('ZREM', C .. 'live', m.member)
  redis.call('SREM', P .. 'active', id)
  redis.call('SREM', C .. 'limited', id)
  redis.call('SREM', C .. 'limited:' .. m.user, id)
  redis.call('SREM', P .. 'room:' .. m.room_name, id)
  if m.user ~= '' then redis.call('SREM', P .. 'user:' .. m.user_name, id) end
end
local function join(id, m)
  for _, name in ipairs(indexes(m)) do redis.call('ZADD', name, 0, m.member) end
  if m.is_live then
    redis.call('ZADD', C .. 'live', 0, m.member)
    redis.call('SADD', P .. 'active', id)
  end
  if m.is_limited then
    redis.call('SADD', C .. 'limited', id)
    if m.user ~= '' then redis.call('SADD', C .. 'limited:' .. m.user, id) end
  end
end
local function renew(id, m, state_ttl, index_ttl)
  redis.call('PEXPIRE', P .. 'state:' .. id, state_ttl)
  redis.call('PEXPIRE', P .. 'room:' .. m.room_name, index_ttl)
  if m.user ~= '' then redis.call('PEXPIRE', P .. 'user:' .. m.user_name, index_ttl) end
end
local function put(id, meta, entry, state, state_ttl, index_ttl)
  local m, old = cjson.decode(meta), known(id)
  if old and old.revision > m.revision then return 0 end
  if old and not is_same(old, m) then leave(id, old) end
  if not old or not is_same(old, m) then join(id, m) end
  redis.call('HSET', C .. 'entries', id, entry)
  redis.call('HSET', C .. 'meta', id, meta)
  redis.call('SET', P .. 'state:' .. id, state)
  redis.call('SADD', P .. 'room:' .. m.room_name, id)
  if m.user ~= '' then redis.call('SADD', P .. 'user:' .. m.user_name, id) end
  renew(id, m, state_ttl, index_ttl)
  return 1
end
`

/** id, meta, entry, state, two lifetimes → 1, or 0 when a newer revision is there. */
export const PUT = new Script(CATALOGUE, 'return put(ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])')

/** The same, and limits in total and per user (empty: none) → '', 'total' or 'user'. */
export const ADMIT = new Script(
  CATALOGUE,
  `
local m = cjson.decode(ARGV[3])
if m.is_automatic == false and not known(ARGV[2]) then
  if redis.call('SCARD', C .. 'limited') >= tonumber(ARGV[8]) then return 'total' end
  if m.user ~= '' and ARGV[9] ~= '' and redis.call('SCARD', C .. 'limited:' .. m.user) >= tonumber(ARGV[9]) then
    return 'user'
  end
end
put(ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return ''`,
)

/** id */
export const REMOVE = new Script(
  CATALOGUE,
  `
local m = known(ARGV[2])
if m then leave(ARGV[2], m) end
redis.call('HDEL', C .. 'entries', ARGV[2])
redis.call('HDEL', C .. 'meta', ARGV[2])
redis.call('DEL', P .. 'state:' .. ARGV[2])
return 1`,
)

/** How many, highest and lowest place, names of indexes → member, entry or nil, member, … newest first. */
export const LIST = new Script(
  CATALOGUE,
  `
-- byte by byte: what Lua thinks of two strings depends on the locale of the server
local function is_newer(a, b)
  local x, y = tonumber(string.sub(a, 1, 15)), tonumber(string.sub(b, 1, 15))
  if x ~= y then return x > y end
  for i = 17, math.min(#a, #b) do
    x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end
local lists, at = {}, {}
for i = 5, #ARGV do
  lists[#lists + 1] = redis.call('ZREVRANGEBYLEX', C .. ARGV[i], ARGV[3], ARGV[4], 'LIMIT', 0, ARGV[2])
  at[#lists] = 1
end
local reply = {}
for _ = 1, tonumber(ARGV[2]) do
  local newest, from
  for k, list in ipairs(lists) do
    local member = list[at[k]]
    if member and (not newest or is_newer(member, newest)) then newest, from = member, k end
  end
  if not newest then break end
  at[from] = at[from] + 1
  reply[#reply + 1] = newest
  reply[#reply + 1] = redis.call('HGET', C .. 'entries', string.sub(newest, 17))
end
return reply`,
)

/** Highest and lowest place, names of indexes → how many. */
export const COUNT = new Script(
  CATALOGUE,
  `
local count = 0
for i = 4, #ARGV do count = count + redis.call('ZLEXCOUNT', C .. ARGV[i], ARGV[3], ARGV[2]) end
return count`,
)

/** → member, entry or nil, member, … oldest first. */
export const LIVE = new Script(
  CATALOGUE,
  `
local reply = {}
for _, member in ipairs(redis.call('ZRANGE', C .. 'live', 0, -1)) do
  reply[#reply + 1] = member
  reply[#reply + 1] = redis.call('HGET', C .. 'entries', string.sub(member, 17))
end
return reply`,
)

/** Two lifetimes: what is live lasts. */
export const RENEW = new Script(
  CATALOGUE,
  `
for _, id in ipairs(redis.call('SMEMBERS', P .. 'active')) do
  local m = known(id)
  if m then renew(id, m, ARGV[2], ARGV[3]) end
end
return 1`,
)
