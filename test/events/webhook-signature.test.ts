import { describe, expect, it } from 'vitest'
import {
  signWebhook,
  verifyWebhook,
  WebhookSignatureError,
  webhookKey,
  webhookKeyText,
} from '../../src/events/webhook-signature.ts'

const SECRET = 'a secret of more than thirty-two bytes'
const NOW_MS = 1_800_000_000_000
const event = {
  webhook_id: 'e-1',
  type: 'recording_started',
  room_id: 'demo',
  data: { recording_id: 'r' },
  seq: 7,
  time: '2026-11-21T12:00:00.000Z',
}
const body = JSON.stringify(event)
const signed = () => ({ ...signWebhook(webhookKey(SECRET), 'e-1', body, NOW_MS) })
const verify = (headers: Record<string, string>, text: string | Uint8Array = body, nowMs = NOW_MS) =>
  verifyWebhook(SECRET, headers, text, { nowMs })

describe('signatures of webhooks', () => {
  it('are those of Standard Webhooks', () => {
    // the example that its libraries are tested with
    const key = webhookKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
    expect(signWebhook(key, 'msg_p5jXN8AQM9LWM0D4loKWxJek', '{"test": 2432232314}', 1_614_265_330_000)).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  it('hold for what was signed, however headers and body come', () => {
    expect(verify(signed())).toEqual(event)
    expect(verify(signed(), Buffer.from(body))).toEqual(event)
    expect(verifyWebhook(SECRET, new Headers(signed()), body, { nowMs: NOW_MS })).toEqual(event)
    expect(verifyWebhook(webhookKeyText(webhookKey(SECRET)), signed(), body, { nowMs: NOW_MS })).toEqual(event)
    expect(verifyWebhook(Buffer.from(SECRET), signed(), body, { nowMs: NOW_MS })).toEqual(event)
  })

  it('may be one of several, as when secrets are exchanged', () => {
    const old = signWebhook(webhookKey('another secret'), 'e-1', body, NOW_MS)['webhook-signature']
    const headers = { ...signed(), 'webhook-signature': `v1a,AAAA ${old} ${signed()['webhook-signature']}` }
    expect(verify(headers)).toEqual(event)
  })

  it.each([
    ['another body', signed(), body.replace('demo', 'Demo'), NOW_MS],
    ['another id', { ...signed(), 'webhook-id': 'e-2' }, body, NOW_MS],
    ['another time', { ...signed(), 'webhook-timestamp': String(NOW_MS / 1000 + 1) }, body, NOW_MS],
    ['another secret', signWebhook(webhookKey('x'), 'e-1', body, NOW_MS), body, NOW_MS],
    ['no signature', { ...signed(), 'webhook-signature': '' }, body, NOW_MS],
    ['an empty signature', { ...signed(), 'webhook-signature': 'v1,' }, body, NOW_MS],
    [
      'a signature without version',
      { ...signed(), 'webhook-signature': signed()['webhook-signature'].slice(3) },
      body,
      NOW_MS,
    ],
    ['a replay, after the tolerance', signed(), body, NOW_MS + 301_000],
    ['a time to come', signed(), body, NOW_MS - 301_000],
    ['no headers', {}, body, NOW_MS],
  ])('do not hold for %s', (_, headers, text, nowMs) => {
    expect(() => verify({ ...headers }, text, nowMs)).toThrow(WebhookSignatureError)
  })

  it('do not hold for a body that is about another event, or none', () => {
    for (const text of [JSON.stringify({ ...event, webhook_id: 'e-2' }), '[]', 'x', '{"webhook_id":"e-1"}']) {
      const headers = { ...signWebhook(webhookKey(SECRET), 'e-1', text, NOW_MS) }
      expect(() => verify(headers, text)).toThrow(WebhookSignatureError)
    }
  })
})
