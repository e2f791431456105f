import { describe, expect, it } from 'vitest'
import { KeyframeRequester } from '../../src/rtp/keyframe-requester.ts'
import { RtcpOutbox } from '../../src/rtp/rtcp-outbox.ts'
import { parseRtcp } from '../../src/rtp/rtcp-parser.ts'

function requesting(can: { pli: boolean; fir: boolean }) {
  const said: string[] = []
  const outbox = new RtcpOutbox({
    ssrc: 9,
    cname: 'us',
    send: (bytes) => said.push(...parseRtcp(bytes).map(({ type }) => type)),
  })
  const requester = new KeyframeRequester({ ssrc: 1, ...can, outbox })
  const run = (fromMs: number, toMs: number, each?: (nowMs: number) => void) => {
    for (let now = fromMs; now < toMs; now += 20) {
      each?.(now)
      requester.tick(now)
    }
    outbox.flush()
    return said.splice(0)
  }
  return { requester, run }
}

describe('asking for keyframes', () => {
  it('is done at once, again every two seconds, and no more when one came', () => {
    const { requester, run } = requesting({ pli: true, fir: false })
    requester.request(1000)
    expect(run(1000, 2980)).toEqual(['pli'])
    expect(run(2980, 7000)).toEqual(['pli', 'pli'])
    requester.satisfied()
    expect(run(7000, 20_000)).toEqual([])
    expect(requester).toMatchObject({ plis: 3, firs: 0, isWaiting: false })
  })

  it('is done every half second at most, and the last wish is not forgotten', () => {
    const { requester, run } = requesting({ pli: true, fir: false })
    expect(run(1000, 3000, (now) => requester.request(now))).toHaveLength(4)
    requester.satisfied()
    expect(run(3000, 3400, (now) => now === 3000 && requester.request(now))).toHaveLength(1)
    requester.satisfied()
    requester.request(3400)
    expect(run(3400, 3490)).toEqual([])
    expect(run(3490, 3600)).toEqual(['pli'])
  })

  it('tries FIR where PLI did nothing', () => {
    const { requester, run } = requesting({ pli: true, fir: true })
    requester.request(0)
    expect(run(0, 8500)).toEqual(['pli', 'pli', 'fir', 'pli', 'pli'])
    const only = requesting({ pli: false, fir: true })
    only.requester.request(0)
    expect(only.run(0, 2500)).toEqual(['fir', 'fir'])
    expect(only.requester.firs).toBe(2)
  })
})
