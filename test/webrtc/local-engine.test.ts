import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LimitError, MalformedError, MisuseError, UnsupportedError } from '../../src/media/errors.ts'
import { RtpPacket } from '../../src/rtp/packet.ts'
import { RtcpOutbox } from '../../src/rtp/rtcp-outbox.ts'
import { LocalEngine } from '../../src/webrtc/local-engine.ts'
import { attributesOf, parseSessionDescription } from '../../src/webrtc/sdp/session-description.ts'
import { MemoryTransports } from './memory-transport.ts'
import { offerOf, publishRequest } from './offers.ts'
import { CHROMIUM, chromiumSources, pass, publishing } from './publishing.ts'
import { KeepingSink } from './sinks.ts'

const WATCHER = offerOf('chromium-watch')

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date', 'setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

/** A publisher that has begun, and somebody who watches it. */
async function watched() {
  const published = await publishing(CHROMIUM)
  const { engine, transport, transports } = published
  const sources = chromiumSources()
  transport.deliver(...sources.video.vp8(0, true), ...sources.audio.opus(0))
  const viewer = new KeepingSink()
  const watching = await engine.watch({ id: 'watcher', offer: WATCHER, publisherId: 'publisher' }, viewer)
  const to = transports.made[1]
  to.move('connected')
  pass(50)
  return { ...published, ...sources, viewer, watching, to }
}

describe('who watches', () => {
  it('is answered with what the publisher sends now', async () => {
    const { watching } = await watched()
    const { media } = parseSessionDescription(watching.answer)
    expect(media.map(({ media: kind, formats }) => [kind, formats])).toEqual([
      ['video', ['96', '97']],
      ['audio', ['111']],
    ])
    expect(attributesOf(media[0], 'sendonly')).toHaveLength(1)
    expect(attributesOf(media[0], 'ssrc-group')[0].value).toMatch(/^FID \d+ \d+$/)
  })

  it('gets packets from the next keyframe on, which is asked for once, as its own', async () => {
    const { transport, video, to, watching } = await watched()
    expect(transport.rtcp.filter(({ type }) => type === 'pli')).toHaveLength(1)
    transport.deliver(...video.vp8(40, false))
    expect(to.rtp).toEqual([])
    transport.deliver(...video.vp8(80, true), ...video.vp8(120, false))
    const packets = to.rtp.map((bytes) => new RtpPacket(bytes, 0))
    expect(packets).toHaveLength(6)
    const ssrc = Number(/FID (\d+)/.exec(watching.answer)?.[1])
    expect(new Set(packets.map((packet) => packet.ssrc))).toEqual(new Set([ssrc]))
    expect(Buffer.from(packets[0].extension(9) ?? []).toString()).toBe('0')
    expect(Buffer.concat(packets.slice(0, 3).map(({ payload }) => payload.subarray(1)))).toEqual(video.sent.at(-2))
  })

  it('is sent again what it asks for, and its wish for a keyframe goes on', async () => {
    const { transport, video, to, watching } = await watched()
    transport.deliver(...video.vp8(80, true))
    const ssrc = Number(/FID (\d+)/.exec(watching.answer)?.[1])
    const outbox = new RtcpOutbox({ ssrc: 5, cname: 'watcher', send: (packet) => to.deliver(Buffer.from(packet)) })
    const [first] = to.rtp.map((bytes) => new RtpPacket(bytes, 0))
    outbox.nack(ssrc, [first.sequenceNumber])
    outbox.flush()
    const again = new RtpPacket(to.rtp[3], 0)
    expect(again.payloadType).toBe(97)
    expect(Buffer.from(again.payload.subarray(2))).toEqual(Buffer.from(first.payload))
    pass(2000)
    const before = transport.rtcp.filter(({ type }) => type === 'pli').length
    outbox.pli(ssrc)
    outbox.flush()
    pass(50)
    expect(transport.rtcp.filter(({ type }) => type === 'pli').length).toBe(before + 1)
  })

  it('ends with its publisher, and is not missed by it', async () => {
    const first = await watched()
    first.session.close()
    expect(first.viewer.ends).toEqual([{ reason: 'finished' }])
    expect(first.to.state).toBe('closed')
    const second = await watched()
    second.watching.close()
    expect(second.viewer.ends).toEqual([])
    second.transport.deliver(...second.video.vp8(40, true))
    expect(second.sink.framesOf(2)).toHaveLength(2)
  })

  it('is not given up while there is nothing to send, nor kept when it does not answer', async () => {
    const { engine, transport, video, audio, viewer } = await watched()
    for (let i = 1; i < 30; i++) {
      pass(1000)
      transport.deliver(...(i < 8 ? video.vp8(i * 1000, true) : audio.opus(i * 1000)))
    }
    expect(viewer.ends).toMatchObject([{ reason: 'lost' }])
    await engine.close()
  })

  it('is given up after some seconds in which it tells that nothing arrives, but not while there is nothing to send', async () => {
    const { transport, video, to, viewer, watching } = await watched()
    const ssrc = Number(/FID (\d+)/.exec(watching.answer)?.[1])
    const outbox = new RtcpOutbox({ ssrc: 5, cname: 'watcher', send: (packet) => to.deliver(Buffer.from(packet)) })
    let atMs = 0
    const second = (highestSequence: number, isSent: boolean) => {
      pass(1000)
      atMs += 1000
      if (isSent) transport.deliver(...video.vp8(atMs, true))
      outbox.receiverReport([
        { ssrc, fractionLost: 0, cumulativeLost: 0, highestSequence, jitter: 0, lastSr: 0, delaySinceLastSr: 0 },
      ])
      outbox.flush()
    }
    for (let i = 0; i < 8; i++) second(i, true)
    for (let i = 0; i < 8; i++) second(8, false)
    for (let i = 0; i < 3; i++) second(8, true)
    second(9, true)
    for (let i = 0; i < 4; i++) second(9, true)
    expect(viewer.ends).toEqual([])
    second(9, true)
    pass(50)
    expect(viewer.ends).toMatchObject([{ reason: 'lost', code: 'TD_SOURCE_DEAF' }])
  })

  it('is told when there is nothing for it', async () => {
    const { engine } = await watched()
    const watch = (offer: string, publisherId = 'publisher') =>
      engine.watch({ id: 'other', offer, publisherId }, new KeepingSink())
    await expect(watch(WATCHER, 'nobody')).rejects.toThrow(UnsupportedError)
    await expect(watch('v=0')).rejects.toThrow(MalformedError)
    const h264 = WATCHER.replaceAll('VP8/90000', 'XP8/90000').replaceAll('opus/48000', 'xpus/48000')
    await expect(watch(h264)).rejects.toThrow(UnsupportedError)
  })
})

describe('the engine', () => {
  it('has as many sessions as it may, each with an id of its own', async () => {
    const engine = new LocalEngine(new MemoryTransports(), { maxSessions: 2 })
    const publish = (id: string) => engine.publish(publishRequest(CHROMIUM, { id }), new KeepingSink())
    const one = await publish('one')
    await expect(publish('one')).rejects.toThrow(MisuseError)
    await publish('two')
    await expect(publish('three')).rejects.toThrow(LimitError)
    one.close()
    one.close()
    await publish('three')
  })

  it('leaves nothing behind of an offer that is refused, or without a transport', async () => {
    const transports = new MemoryTransports()
    const engine = new LocalEngine(transports, { maxSessions: 1 })
    await expect(engine.publish(publishRequest('v=0'), new KeepingSink())).rejects.toThrow(MalformedError)
    transports.accept = () => Promise.reject(new UnsupportedError('no network'))
    await expect(engine.publish(publishRequest(CHROMIUM), new KeepingSink())).rejects.toThrow('no network')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('lets one session go whose sink throws at its end, and keeps the others', async () => {
    const { engine, transports, transport, sink } = await publishing(CHROMIUM)
    const other = new KeepingSink()
    await engine.publish(publishRequest(CHROMIUM, { id: 'other' }), other)
    transports.made[1].move('connected')
    sink.end = () => {
      throw new Error('nobody listens')
    }
    pass(14_000)
    transports.made[1].deliver(...chromiumSources().audio.opus(0))
    pass(2000)
    expect(transport.state).toBe('closed')
    expect(transports.made[1].state).toBe('connected')
    expect(other.ends).toEqual([])
    await engine.close()
  })

  it('closes everything, its transports too', async () => {
    const { engine, transports, sink } = await publishing(CHROMIUM)
    await engine.close()
    expect(transports.isClosed).toBe(true)
    expect(sink.ends).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
    await expect(engine.publish(publishRequest(CHROMIUM, { id: 'late' }), sink)).rejects.toThrow(MisuseError)
  })
})
