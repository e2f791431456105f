import { Script } from './script.ts'
import { TASKS } from './task-scripts.ts'

/** Events forgotten in one step. */
export const PRUNE_BATCH = 1000

/**
 * Time, how many outboxes, queue and lifetime of each, then id, JSON, time, key and, `1` or `0` for each outbox, whether it
 * goes there, of each event → number, JSON, number, …
 *
 * `{prefix}events:seq` counts, `events:stream` holds the events under `{number}-0`, `events:ids` the number of each id.
 */
export const APPEND = new Script(
  TASKS,
  `
local stream, ids = P .. 'events:stream', P .. 'events:ids'
local now, outboxes = ARGV[2], tonumber(ARGV[3])
local reply = {}
for i = 4 + 2 * outboxes, #ARGV, 5 do
  local id, text, time, key, goes = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local seq = redis.call('HGET', ids, id)
  if seq then
    local there = redis.call('XRANGE', stream, seq, seq)[1]
    if there then text = there[2][2] end
  else
    seq = string.format('%.0f', redis.call('INCR', P .. 'events:seq'))
    redis.call('XADD', stream, seq .. '-0', 'event', text, 'id', id, 'time', time)
    redis.call('HSET', ids, id, seq)
    local stored = string.sub(text, 1, -2) .. ',"seq":' .. seq .. '}'
    for k = 0, outboxes - 1 do
      local queue, lifetime = ARGV[4 + 2 * k], ARGV[5 + 2 * k]
      if string.sub(goes, k + 1, k + 1) == '1' then
        add_task(queue .. ':' .. id, queue, key, '0', stored, now, tonumber(now) + tonumber(lifetime), now)
      end
    end
  end
  reply[#reply + 1] = seq
  reply[#reply + 1] = text
end
return reply`,
)

/** → oldest and newest number. */
export const BOUNDS = new Script(`
local newest = tonumber(redis.call('GET', P .. 'events:seq') or '0')
local first = redis.call('XRANGE', P .. 'events:stream', '-', '+', 'COUNT', 1)[1]
local oldest = first and string.match(first[1], '^%d+') or string.format('%.0f', newest + 1)
return {oldest, string.format('%.0f', newest)}`)

/** Time → how many were forgotten, at most `PRUNE_BATCH`. */
export const PRUNE = new Script(`
local stream, ids = P .. 'events:stream', P .. 'events:ids'
local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', ${PRUNE_BATCH})
for i, entry in ipairs(entries) do
  local fields = entry[2]
  if (tonumber(fields[6]) or 0) >= tonumber(ARGV[2]) then return i - 1 end
  redis.call('XDEL', stream, entry[1])
  if fields[4] then redis.call('HDEL', ids, fields[4]) end
end
return #entries`)
