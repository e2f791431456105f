import { parseClientMessage, parseEventQuery } from '../src/api/event-message.ts'
import { isPublicAddress } from '../src/events/webhook-address.ts'
import { retryAfterMs } from '../src/events/webhook-schedule.ts'
import { signWebhook, verifyWebhook, webhookKey } from '../src/events/webhook-signature.ts'
import type { FuzzTarget } from './target.ts'

const SECRET = 'a secret for the fuzzer, long enough'
const NOW_MS = 1_800_000_000_000
const event = { type: 'disk_low', room_id: null, data: {}, seq: 1, time: '2026-11-21T12:00:00.000Z', webhook_id: 'e' }
const body = JSON.stringify(event)
const headers = signWebhook(webhookKey(SECRET), 'e', body, NOW_MS)
const lines = (signed: typeof headers) => Object.values(signed).join('\n')

/** Webhooks as a receiver gets them, headers in the first three lines: only the very one that was signed is taken. */
const webhook: FuzzTarget = {
  name: 'webhook',
  seeds: () =>
    [`${lines(headers)}\n${body}`, `${lines(headers)}\n{}`, 'e\n1800000000\nv1,AAAA v1a,BB\n[]'].map((text) =>
      Buffer.from(text),
    ),
  run(input) {
    const [id = '', timestamp = '', signature = '', ...rest] = Buffer.from(input).toString('latin1').split('\n')
    const text = Buffer.from(rest.join('\n'), 'latin1')
    const shown = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }
    verifyWebhook(SECRET, shown, text, { nowMs: NOW_MS })
    if (text.toString() !== body || id !== 'e') throw new Error(`a forged webhook was taken: ${text}`)
  },
}

/** What clients of the event socket say, and what receivers and resolvers answer. */
const eventMessages: FuzzTarget = {
  name: 'event-messages',
  seeds: () =>
    [
      '{"type":"auth","token":"a.b.c"}',
      '{"type":"subscribe","room":"demo"}',
      '{"room":["a,b","c"],"since":"12"}',
      '{"since":"1e400"}',
      'Thu, 01 Jan 1970 00:01:00 GMT',
      '::ffff:127.0.0.1',
    ].map((text) => Buffer.from(text)),
  run(input) {
    const text = Buffer.from(input).toString('utf8')
    parseClientMessage(text)
    retryAfterMs(text, NOW_MS)
    isPublicAddress(text)
    const query: unknown = parsed(text)
    const { room = [], since = 0 } = parseEventQuery(query) ?? {}
    if (room.length > 100 || !Number.isSafeInteger(since)) throw new Error('a query out of bounds was taken')
  },
}

/** Both sides of events. */
export const targets: readonly FuzzTarget[] = [webhook, eventMessages]

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return { room: text, since: text }
  }
}
