import { describe, expect, it } from 'vitest'
import { codecPreference } from '../../src/ingest/whip/codec-preference.ts'
import { WhipIngest } from '../../src/ingest/whip/whip-ingest.ts'
import { Hub, NameBusyError } from '../../src/live/hub.ts'
import type { EndReason, Subscriber } from '../../src/live/subscriber.ts'
import { LimitError, MalformedError } from '../../src/media/errors.ts'
import { firstUnmet } from '../../src/media/source-report.ts'
import { MediaProcessError, TransportError } from '../../src/webrtc/transport-error.ts'
import { audioTrack, heldFrame, videoTrack } from '../media/frames.ts'
import { OFFER, ScriptedEngine, trackFigures } from './scripted-engine.ts'

const address = { room: 'standup', participant: 'alice' }
const offer = { sdp: OFFER, peer: '192.0.2.1:4000', labels: { 0: 'camera' } }

function rig({ takeover = false, maxStreams = 10 } = {}) {
  const lines: { message: string; fields: object }[] = []
  const log = (fields: object, message: string) => void lines.push({ fields, message })
  const logger = { debug: log, info: log, warn: log, error: log }
  const hub = new Hub({ takeover, maxStreams }, logger)
  const engine = new ScriptedEngine()
  const clock = { ms: 5000 }
  const whip = new WhipIngest({
    hub,
    engine,
    logger,
    layers: 'best',
    maxBitrateBps: 10_000_000,
    jitterBudgetMs: 1000,
    codecs: () => codecPreference('auto'),
    now: () => clock.ms,
  })
  return { hub, engine, whip, lines, clock }
}
type Rig = ReturnType<typeof rig>

async function publish({ whip, engine, hub }: Rig, at = address) {
  const session = await whip.create(at, offer)
  const peer = engine.published.at(-1)
  const stream = hub.find(at)
  if (peer === undefined || stream === undefined) throw new Error('not live')
  return { session, peer, stream, sink: peer.sink }
}

class Follower implements Subscriber {
  readonly kind = 'recording'
  readonly calls: string[] = []
  track = (): void => void this.calls.push('track')
  frame = (): void => void this.calls.push('frame')
  flush = (): void => undefined
  end = (reason: EndReason): void => void this.calls.push(`end ${reason}`)
}

describe('a WHIP publisher', () => {
  it('is live from its offer on; what the engine gives goes into the stream, and its end is the stream’s', async () => {
    const all = rig()
    const { session, peer, stream, sink } = await publish(all)
    expect(session.answer).toBe(peer.answer)
    expect(stream.publisher).toMatchObject({ source: 'whip', peer: '192.0.2.1:4000', session: session.id })
    expect(peer.request).toMatchObject({ id: session.id, offer: OFFER, layers: 'best', labels: { 0: 'camera' } })
    expect(peer.request.videoCodecs[0]).toBe('h264')
    const follower = new Follower()
    stream.subscribe(follower, { fromKeyframe: true })
    sink.track(videoTrack(1))
    sink.frame(heldFrame(videoTrack(1), 0, true))
    sink.flush()
    sink.end({ reason: 'finished' })
    sink.frame(heldFrame(videoTrack(1), 40, false))
    expect(follower.calls).toEqual(['track', 'frame', 'end finished'])
    expect([peer.isClosed, all.whip.find(session.id), all.hub.find(address)]).toEqual([true, undefined, undefined])
    expect(all.whip.stats).toMatchObject({ sessions: 0, started: 1, ended: { finished: 1 } })
    expect(all.lines.map(({ message }) => message)).toEqual(['publishing started', 'publishing ended'])
  })

  it('meets its checklist line by line, and moves with it', async () => {
    const all = rig()
    const { session, stream, sink } = await publish(all)
    const strays = { unknownSsrc: 1, notNegotiated: 2, malformed: 3 }
    const seen = () => {
      session.tick()
      const report = stream.publisher.report?.()
      return report === undefined ? undefined : [report.state, firstUnmet(report.checklist)]
    }
    expect(seen()).toEqual(['connecting', 'connected'])
    sink.met('connected')
    expect(seen()).toEqual(['subscribing', 'first_rtp'])
    sink.figures({ tracks: [trackFigures({ packets: 5 })], lastRtpAtMs: Date.now() })
    expect(seen()).toEqual(['subscribed', 'first_keyframe'])
    sink.track(videoTrack(1))
    sink.frame(heldFrame(videoTrack(1), 0, true))
    expect(seen()).toEqual(['subscribed', 'frames_flowing'])
    sink.frame(heldFrame(videoTrack(1), 40, false))
    expect(seen()).toEqual(['subscribed', 'feedback_seen'])
    stream.subscribe(new Follower(), { fromKeyframe: true })
    sink.figures({ tracks: [trackFigures({ packets: 9, nacks: 1, plis: 2 })], strays, rttMs: 12, avOffsetMs: -3 })
    expect(seen()).toEqual(['recording', undefined])
    sink.loss({
      trackId: 1,
      at: new Date().toISOString(),
      lengthMs: 40,
      packets: 3,
      damagedFrames: 1,
      undecodableFrames: 2,
    })
    expect(stream.publisher.report?.()).toMatchObject({
      tracks: [{ packets: 9, plis: 2 }],
      losses: [{ packets: 3 }],
      lossCount: 1,
      strays,
      rttMs: 12,
      avOffsetMs: -3,
      connectionMs: expect.any(Number),
      subscriptionMs: expect.any(Number),
    })
    session.close('kicked')
    expect(stream.publisher.report?.().state).toBe('stopped')
    expect(all.whip.stats).toMatchObject({ packets: 9, plis: 2, packetsStray: 6 })
  })

  it('that says goodbye is gone for everybody at once, and its stream has all that the engine held', async () => {
    const all = rig()
    const { session, peer, stream, sink } = await publish(all)
    const follower = new Follower()
    stream.subscribe(follower, { fromKeyframe: true })
    sink.met('connected')
    peer.onFinish = () => sink.track(videoTrack(1))
    session.finish('finished')
    session.finish('shutdown')
    expect([all.whip.find(session.id), session.yields, stream.ended]).toEqual([undefined, true, undefined])
    sink.frame(heldFrame(videoTrack(1), 0, true))
    sink.figures({ tracks: [trackFigures({ packets: 70, jitterMs: 3 })], rttMs: 20, avOffsetMs: 5 })
    sink.figures({ tracks: [trackFigures({ packets: 77 })] })
    sink.end({ reason: 'finished' })
    expect(follower.calls).toEqual(['track', 'frame', 'end finished'])
    expect(stream.publisher.report?.()).toMatchObject({
      state: 'stopped',
      tracks: [{ packets: 77, jitterMs: 3 }],
      rttMs: 20,
      avOffsetMs: 5,
    })
    const mute = await publish(all)
    mute.session.finish('finished')
    all.clock.ms += 999
    mute.session.tick()
    expect(mute.stream.ended).toBeUndefined()
    all.clock.ms += 1
    mute.session.tick()
    expect(mute.stream.ended).toBe('finished')
  })

  it('when the server ends gives what the engine held, and its stream says why', async () => {
    const all = rig()
    const { sink, stream } = await publish(all)
    const finishing = all.whip.finish()
    expect(stream.ended).toBeUndefined()
    sink.end({ reason: 'finished' })
    await finishing
    expect(stream.ended).toBe('shutdown')
    await all.whip.finish()
  })

  it('of sound alone flows without video', async () => {
    const { stream, sink } = await publish(rig())
    sink.track(audioTrack(2))
    for (const at of [0, 20]) sink.frame(heldFrame(audioTrack(2), at, true))
    const report = stream.publisher.report?.()
    expect(report?.checklist).toMatchObject({ frames_flowing: expect.any(String), first_keyframe: null })
  })

  it('is asked for keyframes by whoever needs one, once it is connected', async () => {
    const { peer, stream, sink } = await publish(rig())
    stream.requestKeyframe()
    expect(peer.keyframesAsked).toEqual([])
    sink.met('connected')
    stream.requestKeyframe(1)
    stream.subscribe(new Follower(), { fromKeyframe: true })
    expect(peer.keyframesAsked).toEqual([1, undefined])
  })

  it('that sends nothing after a loss that can be decoded is asked again, and the report says so while it lasts', async () => {
    const all = rig()
    const { session, peer, stream, sink } = await publish(all)
    const [camera, screen] = [videoTrack(1), videoTrack(2)]
    let packets = 0
    /** A second in which packets of both come; frames only of the camera, each a keyframe, where the screen is blind. */
    const second = (frames: number, undecodableFrames: number) => {
      packets += 10
      all.clock.ms += 1000
      sink.frame(heldFrame(camera, all.clock.ms, true))
      sink.figures({
        tracks: [
          trackFigures({ packets, frames: packets, keyframes: packets }),
          trackFigures({ trackId: 2, packets, frames, keyframes: 1, undecodableFrames }),
        ],
        lastRtpAtMs: Date.now(),
      })
      sink.flush()
      session.tick()
      return stream.publisher.report?.().fault?.code
    }
    sink.met('connected')
    for (const track of [camera, screen]) sink.track(track)
    sink.frame(heldFrame(screen, 0, true))
    expect([second(1, 0), second(9, 0), second(18, 3)]).toEqual([undefined, undefined, undefined])
    expect([second(18, 13), second(18, 23), second(18, 33)]).toEqual([undefined, undefined, 'TD_SOURCE_KEYFRAME'])
    expect(peer.keyframesAsked).toEqual([undefined])
    expect([second(18, 43), second(18, 53)]).toEqual(['TD_SOURCE_KEYFRAME', 'TD_SOURCE_KEYFRAME'])
    expect(peer.keyframesAsked).toHaveLength(2)
    sink.frame(heldFrame(screen, all.clock.ms, true))
    expect(stream.publisher.report?.().fault).toBeUndefined()
    second(19, 53)
    expect([second(19, 63), second(28, 64), second(29, 64), second(30, 64)]).toEqual(Array(4).fill(undefined))
  })

  it('that the engine loses leaves the stream lost, with the reason in the report', async () => {
    const all = rig()
    const { stream, sink } = await publish(all)
    sink.end({ reason: 'failed', code: 'TD_MEDIA_PROCESS', message: 'it died' })
    expect([stream.ended, stream.publisher.report?.().fault]).toEqual([
      'lost',
      { code: 'TD_MEDIA_PROCESS', message: 'it died' },
    ])
  })

  it('that is kicked or replaced is gone from the engine, too', async () => {
    const all = rig({ takeover: true })
    const first = await publish(all)
    const second = await publish(all)
    expect([first.stream.ended, first.peer.isClosed, second.peer.isClosed]).toEqual(['replaced', true, false])
    second.stream.end('kicked')
    second.stream.publisher.disconnect?.('kicked')
    expect([second.peer.isClosed, all.whip.stats.ended]).toEqual([true, { replaced: 1, kicked: 1 }])
  })
})

describe('a name that is taken', () => {
  it('is refused before the engine has work, and gives way when it was not heard for two seconds', async () => {
    const all = rig()
    const { stream, sink } = await publish(all)
    sink.figures({ tracks: [], lastRtpAtMs: Date.now() })
    await expect(all.whip.create(address, offer)).rejects.toThrow(NameBusyError)
    expect(all.engine.published).toHaveLength(1)
    sink.flush()
    all.clock.ms += 1999
    await expect(all.whip.create(address, offer)).rejects.toThrow(NameBusyError)
    all.clock.ms += 1
    await publish(all)
    expect(stream.ended).toBe('replaced')
    expect(all.engine.published.map(({ isClosed }) => isClosed)).toEqual([true, false])
  })

  it('goes to the first of two who come at once', async () => {
    const all = rig()
    const results = await Promise.allSettled([all.whip.create(address, offer), all.whip.create(address, offer)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(all.engine.published.map(({ isClosed }) => isClosed)).toEqual([false, true])
    expect(all.whip.stats.sessions).toBe(1)
  })
})

describe('an offer that is not taken', () => {
  it('leaves nothing behind', async () => {
    const all = rig({ maxStreams: 1 })
    for (const refusal of [
      new TransportError('no port'),
      new MediaProcessError('away'),
      new LimitError('x', { limit: 1 }),
    ]) {
      all.engine.refusal = refusal
      await expect(all.whip.create(address, offer)).rejects.toBe(refusal)
    }
    all.engine.refusal = undefined
    await expect(all.whip.create(address, { ...offer, sdp: '' })).rejects.toThrow(MalformedError)
    await expect(all.whip.create(address, { ...offer, sdp: 'v=0\r\n' })).rejects.toThrow(MalformedError)
    expect([all.hub.streams.length, all.whip.stats.sessions]).toEqual([0, 0])
    await publish(all)
    await expect(all.whip.create({ ...address, participant: 'bob' }, offer)).rejects.toThrow(LimitError)
    expect(all.engine.published).toHaveLength(1)
  })

  it('and one that breaks as it is taken, neither', async () => {
    const all = rig()
    all.engine.isBroken = true
    const session = await all.whip.create(address, offer)
    expect([all.whip.find(session.id), all.hub.streams, all.whip.stats.sessions]).toEqual([undefined, [], 0])
    expect(all.whip.stats).toMatchObject({ started: 1, ended: { lost: 1 } })
    expect(all.engine.published[0].isClosed).toBe(true)
    await all.whip.finish()
  })

  it('when the server ends meanwhile, neither', async () => {
    const all = rig()
    const before = await publish(all)
    const { promise, resolve } = Promise.withResolvers<void>()
    all.engine.delay = promise
    const late = all.whip.create({ ...address, participant: 'bob' }, offer)
    all.hub.close()
    all.whip.close()
    resolve()
    await expect(late).rejects.toThrow(TransportError)
    expect(all.engine.published.every(({ isClosed }) => isClosed)).toBe(true)
    expect([before.stream.ended, all.hub.streams.length]).toEqual(['shutdown', 0])
  })
})

describe('what a publisher is asked for', () => {
  it('is first what the container of the room holds', () => {
    expect(codecPreference('auto').video[0]).toBe('h264')
    expect(codecPreference('mp4').video[0]).toBe('h264')
    expect(codecPreference('webm').video).toEqual(['vp8', 'vp9', 'av1', 'h264', 'hevc'])
    expect(codecPreference('webm').audio[0]).toBe('opus')
    expect(codecPreference('flv').audio).not.toHaveLength(0)
    for (const format of ['auto', 'mp4', 'mkv', 'webm', 'flv'] as const) {
      expect(new Set(codecPreference(format).video).size).toBe(5)
    }
  })
})
