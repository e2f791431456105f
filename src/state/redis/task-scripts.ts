import { EXPIRED, MAX_LOG, TASK_FIELDS, WORKER_LOST } from '../task-text.ts'
import { Script } from './script.ts'

/** Tasks that die of age, or fall due, in one call; the others do in the next. */
const MAX_STEP = 2000

/**
 * Durable queues in Redis. A task is the hash `{prefix}tasks:task:{id}`; of a queue there are sorted sets of ids:
 *
 * - `list`, `state:{state}`, `keyed:{key}` by when they were added, for looking at
 * - `order:{key}` of the unfinished of a key; the first is its head
 * - `delayed`: heads, and tasks without a key, by when they can be claimed (due, or the end of the lease)
 * - `ready`: those that can be, by priority and place
 * - `expiry` of waiting tasks, `finished` by when they came to their end
 */
export const TASKS = `
local function task_key(id) return P .. 'tasks:task:' .. id end
local function of(queue, what, rest)
  return P .. 'tasks:' .. what .. ':' .. #queue .. ':' .. queue .. (rest and (':' .. rest) or '')
end
local function field(id, name) return redis.call('HGET', task_key(id), name) end
local function set_state(id, queue, state)
  local old = field(id, 'state')
  if old then redis.call('ZREM', of(queue, 'state', old), id) end
  redis.call('HSET', task_key(id), 'state', state)
  redis.call('ZADD', of(queue, 'state', state), field(id, 'added'), id)
end
local function delay(id, queue, ready)
  redis.call('HSET', task_key(id), 'ready_ms', ready)
  redis.call('ZREM', of(queue, 'ready'), id)
  redis.call('ZADD', of(queue, 'delayed'), ready, id)
end
local function head(queue, key) return redis.call('ZRANGE', of(queue, 'order', key), 0, 0)[1] end
local function enqueue(id, queue, key, place, ready)
  if not key then return delay(id, queue, ready) end
  redis.call('ZADD', of(queue, 'order', key), place, id)
  if head(queue, key) == id then delay(id, queue, ready) end
end
local function add_task(id, queue, key, priority, payload, due, expires, now)
  if redis.call('EXISTS', task_key(id)) == 1 then return end
  local place = redis.call('INCR', P .. 'tasks:place')
  redis.call('HSET', task_key(id), 'id', id, 'queue', queue, 'priority', priority, 'payload', payload,
    'due_ms', due, 'ready_ms', due, 'created_ms', now, 'attempts', 0, 'log', '[]', 'progress', 'null',
    'result', 'null', 'place', place, 'added', place, 'worker', '')
  if expires then
    redis.call('HSET', task_key(id), 'expires_ms', expires)
    redis.call('ZADD', of(queue, 'expiry'), expires, id)
  end
  if key then
    redis.call('HSET', task_key(id), 'key', key)
    redis.call('ZADD', of(queue, 'keyed', key), place, id)
  end
  redis.call('ZADD', of(queue, 'list'), place, id)
  set_state(id, queue, 'waiting')
  enqueue(id, queue, key, place, due)
end
local function log_try(id, at, took, problem)
  local log = field(id, 'log')
  local ok, tries = pcall(cjson.decode, log or '[]')
  if not ok or type(tries) ~= 'table' then tries = {} end
  tries[#tries + 1] = {at = at, took_ms = math.max(0, took), error = problem or cjson.null}
  while #tries > ${MAX_LOG} do table.remove(tries, 1) end
  redis.call('HSET', task_key(id), 'log', cjson.encode(tries))
end
local function finish(id, queue, state, now, worker, result)
  local key = field(id, 'key')
  local was_head = key and head(queue, key) == id
  set_state(id, queue, state)
  redis.call('HSET', task_key(id), 'finished_ms', now, 'worker', worker, 'result', result)
  for _, what in ipairs({'delayed', 'ready', 'expiry'}) do redis.call('ZREM', of(queue, what), id) end
  redis.call('ZADD', of(queue, 'finished'), now, id)
  if not key then return end
  redis.call('ZREM', of(queue, 'order', key), id)
  local nxt = was_head and head(queue, key)
  if nxt then delay(nxt, queue, field(nxt, 'ready_ms') or now) end
end
local function is_unfinished(state) return state == 'waiting' or state == 'running' end
local function lost_try(id, now)
  local begun = field(id, 'begun_ms') or now
  log_try(id, field(id, 'begun_at') or '', tonumber(now) - tonumber(begun), '${WORKER_LOST}')
end
local function show(id) return redis.call('HMGET', task_key(id), ${TASK_FIELDS.map((name) => `'${name}'`).join(', ')}) end
`

/** id, queue, key or nothing behind a mark, priority, payload, due, expiry or '', time */
export const ADD = new Script(
  TASKS,
  `
local key = string.sub(ARGV[4], 1, 1) == 'k' and string.sub(ARGV[4], 2) or nil
local expires = ARGV[8] ~= '' and ARGV[8] or nil
add_task(ARGV[2], ARGV[3], key, ARGV[5], ARGV[6], ARGV[7], expires, ARGV[9])
return 1`,
)

/** queue, worker, lease, limit, time, the same as text → fields of each */
export const CLAIM = new Script(
  TASKS,
  `
local queue, worker, lease, limit, now, at = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local function fall_due()
  local due = redis.call('ZRANGEBYSCORE', of(queue, 'delayed'), '-inf', now, 'LIMIT', 0, ${MAX_STEP})
  for _, id in ipairs(due) do
    redis.call('ZREM', of(queue, 'delayed'), id)
    local priority, place = field(id, 'priority'), field(id, 'place')
    if priority and place then
      local first = math.max(-4000, math.min(4000, tonumber(priority)))
      redis.call('ZADD', of(queue, 'ready'), tonumber(place) - first * 1099511627776, id)
      local expires = field(id, 'expires_ms')
      if expires then redis.call('ZADD', of(queue, 'expiry'), expires, id) end
    end
  end
end
local function expire()
  local old = redis.call('ZRANGEBYSCORE', of(queue, 'expiry'), '-inf', now, 'LIMIT', 0, ${MAX_STEP})
  for _, id in ipairs(old) do
    local state = field(id, 'state')
    if state == 'waiting' or (state == 'running' and tonumber(field(id, 'ready_ms')) <= tonumber(now)) then
      if state == 'running' then lost_try(id, now) end
      log_try(id, at, 0, '${EXPIRED}')
      finish(id, queue, 'dead', now, '', 'null')
    else
      redis.call('ZREM', of(queue, 'expiry'), id)
    end
  end
end
fall_due()
expire()
fall_due()
local reply = {}
while #reply < limit do
  local id = redis.call('ZRANGE', of(queue, 'ready'), 0, 0)[1]
  if not id then break end
  local state, ready = field(id, 'state'), field(id, 'ready_ms')
  if not ready or not is_unfinished(state) then
    redis.call('ZREM', of(queue, 'ready'), id)
  elseif tonumber(ready) > tonumber(now) then
    delay(id, queue, ready)
  else
    if state == 'running' then lost_try(id, now) end
    set_state(id, queue, 'running')
    redis.call('HSET', task_key(id), 'worker', worker, 'begun_ms', now, 'begun_at', at, 'progress', 'null')
    redis.call('HINCRBY', task_key(id), 'attempts', 1)
    redis.call('ZREM', of(queue, 'expiry'), id)
    delay(id, queue, tonumber(now) + lease)
    reply[#reply + 1] = show(id)
  end
end
return reply`,
)

/** id, worker, end of the lease, progress or '' → 1 or 0 */
export const EXTEND = new Script(
  TASKS,
  `
local id = ARGV[2]
if field(id, 'state') ~= 'running' or field(id, 'worker') ~= ARGV[3] then return 0 end
local queue = field(id, 'queue')
if ARGV[5] ~= '' then redis.call('HSET', task_key(id), 'progress', ARGV[5]) end
redis.call('ZREM', of(queue, 'expiry'), id)
delay(id, queue, ARGV[4])
return 1`,
)

/** id, worker, kind, result or error, when to try again, time → 1 or 0 */
export const SETTLE = new Script(
  TASKS,
  `
local id, worker, kind, said, due, now = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local state, queue = field(id, 'state'), field(id, 'queue')
if not state or field(id, 'worker') ~= worker then return 0 end
if state ~= 'running' then
  return state == (kind == 'retry' and 'waiting' or kind) and 1 or 0
end
local took = tonumber(now) - tonumber(field(id, 'begun_ms') or now)
log_try(id, field(id, 'begun_at') or '', took, kind ~= 'done' and said or nil)
if kind ~= 'retry' then
  finish(id, queue, kind, now, worker, kind == 'done' and said or 'null')
  return 1
end
set_state(id, queue, 'waiting')
redis.call('HSET', task_key(id), 'due_ms', due)
delay(id, queue, due)
local expires = field(id, 'expires_ms')
if expires then redis.call('ZADD', of(queue, 'expiry'), expires, id) end
return 1`,
)

/** id, time → 1 or 0 */
export const CANCEL = new Script(
  TASKS,
  `
local id = ARGV[2]
if not is_unfinished(field(id, 'state')) then return 0 end
finish(id, field(id, 'queue'), 'cancelled', ARGV[3], '', 'null')
return 1`,
)

/** id, time, expiry or '' → 1 or 0 */
export const REQUEUE = new Script(
  TASKS,
  `
local id, now, expires = ARGV[2], ARGV[3], ARGV[4]
local state, queue, key = field(id, 'state'), field(id, 'queue'), field(id, 'key')
if not state or is_unfinished(state) then return 0 end
local place = redis.call('INCR', P .. 'tasks:place')
set_state(id, queue, 'waiting')
redis.call('HDEL', task_key(id), 'finished_ms', 'expires_ms')
redis.call('HSET', task_key(id), 'place', place, 'due_ms', now, 'ready_ms', now, 'attempts', 0, 'worker', '',
  'progress', 'null', 'result', 'null')
redis.call('ZREM', of(queue, 'finished'), id)
if expires ~= '' then
  redis.call('HSET', task_key(id), 'expires_ms', expires)
  redis.call('ZADD', of(queue, 'expiry'), expires, id)
end
enqueue(id, queue, key or nil, place, now)
return 1`,
)

/** id → fields */
export const GET = new Script(TASKS, 'return show(ARGV[2])')

/** queue, limit, key behind a mark, states → fields of each, newest first */
export const LIST = new Script(
  TASKS,
  `
local queue, limit = ARGV[2], tonumber(ARGV[3])
local key = string.sub(ARGV[4], 1, 1) == 'k' and string.sub(ARGV[4], 2) or nil
local wanted, reply = {}, {}
for i = 5, #ARGV do wanted[ARGV[i]] = true end
if not key and #ARGV == 5 then
  for _, id in ipairs(redis.call('ZREVRANGE', of(queue, 'state', ARGV[5]), 0, limit - 1)) do reply[#reply + 1] = show(id) end
  return reply
end
local set, from = key and of(queue, 'keyed', key) or of(queue, 'list'), 0
while true do
  local ids = redis.call('ZREVRANGE', set, from, from + 499)
  for _, id in ipairs(ids) do
    if #ARGV == 4 or wanted[field(id, 'state') or ''] then reply[#reply + 1] = show(id) end
    if #reply >= limit then return reply end
  end
  if #ids < 500 then return reply end
  from = from + 500
end`,
)

/** queue → waiting, running, dead */
export const COUNTS = new Script(
  TASKS,
  `
local function count(state) return redis.call('ZCARD', of(ARGV[2], 'state', state)) end
return {count('waiting'), count('running'), count('dead')}`,
)

/** queue → time, or nothing */
export const NEXT_DUE = new Script(
  TASKS,
  `
if redis.call('ZCARD', of(ARGV[2], 'ready')) > 0 then return '0' end
return redis.call('ZRANGE', of(ARGV[2], 'delayed'), 0, 0, 'WITHSCORES')[2] or false`,
)

/** Tasks forgotten in one step. */
export const PRUNE_BATCH = 500

/** queue, time → how many were forgotten, at most `PRUNE_BATCH` */
export const PRUNE = new Script(
  TASKS,
  `
local queue = ARGV[2]
local ids = redis.call('ZRANGEBYSCORE', of(queue, 'finished'), '-inf', '(' .. ARGV[3], 'LIMIT', 0, ${PRUNE_BATCH})
for _, id in ipairs(ids) do
  local state, key = field(id, 'state'), field(id, 'key')
  if state then redis.call('ZREM', of(queue, 'state', state), id) end
  if key then redis.call('ZREM', of(queue, 'keyed', key), id) end
  redis.call('ZREM', of(queue, 'list'), id)
  redis.call('ZREM', of(queue, 'finished'), id)
  redis.call('DEL', task_key(id))
end
return #ids`,
)
