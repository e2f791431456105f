import { describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import type { RtcpPacket } from '../../src/rtp/rtcp.ts'
import { RtcpOutbox } from '../../src/rtp/rtcp-outbox.ts'
import { DownlinkWatch } from '../../src/webrtc/downlink-watch.ts'

const OWN_SSRC = 9
const HALF_RTT_MS = 30
const SENDER_REPORT: RtcpPacket = {
  type: 'sr',
  ssrc: 1,
  ntpMs: 0,
  ntpMiddle: 0,
  timestamp: 0,
  packets: 0,
  octets: 0,
  blocks: [],
}

type Peer = {
  /** Of what we send, from 0 to 1. */
  downLoss: (nowMs: number) => number
  upLoss?: (nowMs: number) => number
  /** Between its reports, ms. */
  reportMs?: number
  /** How it answers: each reference once, as libwebrtc does; the last one again and again, as RFC 3611 has it; not at all. */
  confirms?: 'once' | 'again' | 'never'
  forMs?: number
}

/** A peer that is heard every 20 ms, on a clock of its own. When the watch ends it, and how often it was asked. */
function watching({ downLoss, upLoss = () => 0, reportMs = 1000, confirms = 'once', forMs = 60_000 }: Peer) {
  const pick = random(5)
  const isLost = (share: number) => pick(1000) < share * 1000
  let now = 100_000
  const start = now
  let [asked, reportAt, heardMs] = [0, now, now]
  let reference: { middle: number; atMs: number } | undefined
  const outbox = new RtcpOutbox({
    ssrc: OWN_SSRC,
    cname: 'us',
    send: (bytes) => {
      asked++
      if (isLost(downLoss(now - start))) return
      const at = Buffer.from(bytes).indexOf(Buffer.from('04000002', 'hex')) // RFC 3611 §4.4
      reference = { middle: Buffer.from(bytes).readUInt32BE(at + 6), atMs: now + HALF_RTT_MS }
    },
  })
  const watch = new DownlinkWatch(outbox)
  const report = (): RtcpPacket[] => {
    if (reference === undefined || confirms === 'never') return [SENDER_REPORT]
    const delay = Math.round(((now - HALF_RTT_MS - reference.atMs) * 65_536) / 1000)
    const heard = [{ ssrc: OWN_SSRC, lastReference: reference.middle, delay }]
    if (confirms === 'once') reference = undefined
    return [SENDER_REPORT, { type: 'xr', ssrc: 1, heard }]
  }
  for (; now - start < forMs; now += 20) {
    if (!isLost(upLoss(now - start))) heardMs = now
    if ((now - start) % 1000 === 0) watch.say(now)
    if (now >= reportAt) {
      reportAt = now + reportMs * (0.5 + pick(1000) / 1000)
      const packets = report()
      if (!isLost(upLoss(now - start))) watch.rtcp(packets, now)
    }
    watch.tick(now, heardMs)
    outbox.flush()
    const end = watch.check(now)
    if (end !== undefined) return { end, atMs: now - start, asked, rttMs: watch.rttMs }
  }
  return { end: undefined, atMs: Number.NaN, asked, rttMs: watch.rttMs }
}

describe('whether what is sent to a publisher arrives', () => {
  it('keeps whoever confirms, and knows its round trip', () => {
    for (const confirms of ['once', 'again'] as const) {
      const { end, asked, rttMs } = watching({ downLoss: () => 0, confirms })
      expect(end).toBeUndefined()
      expect(asked).toBeLessThan(70)
      expect(rttMs).toBeGreaterThan(2 * HALF_RTT_MS - 2)
      expect(rttMs).toBeLessThan(2 * HALF_RTT_MS + 2)
    }
  })

  it.each(['once', 'again'] as const)('ends whom nothing reaches any more, and who is heard (%s)', (confirms) => {
    const { end, atMs } = watching({ downLoss: (ms) => (ms < 20_000 ? 0 : 1), confirms })
    expect(end).toMatchObject({ reason: 'lost', code: 'TD_SOURCE_DEAF' })
    expect(atMs).toBeGreaterThan(24_000)
    expect(atMs).toBeLessThan(27_000)
  })

  it('ends it, later, where reports are rare, as of sound alone', () => {
    const { end, atMs } = watching({ downLoss: (ms) => (ms < 20_000 ? 0 : 1), reportMs: 5000 })
    expect(end).toMatchObject({ code: 'TD_SOURCE_DEAF' })
    expect(atMs).toBeLessThan(37_000)
    expect(watching({ downLoss: () => 0.1, reportMs: 5000, forMs: 600_000 }).end).toBeUndefined()
  })

  it.each([0.1, 0.3])('keeps whom a share of %s does not reach, for an hour', (share) => {
    expect(watching({ downLoss: () => share, upLoss: () => share, forMs: 3_600_000 }).end).toBeUndefined()
  })

  it('keeps whoever was cut off both ways', () => {
    const cut = (ms: number) => (ms > 10_000 && ms < 19_000 ? 1 : 0)
    expect(watching({ downLoss: cut, upLoss: cut }).end).toBeUndefined()
  })

  it('knows nothing of who never confirms anything', () => {
    expect(watching({ downLoss: () => 1, confirms: 'never' }).end).toBeUndefined()
  })
})
