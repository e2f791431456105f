import { describe, expect, it } from 'vitest'
import { Hub, NameBusyError } from '../../src/live/hub.ts'
import type { EndReason, Subscriber } from '../../src/live/subscriber.ts'
import { LimitError } from '../../src/media/errors.ts'
import type { Frame } from '../../src/media/frame.ts'
import type { Logger } from '../../src/media/ports.ts'
import type { Track } from '../../src/media/track.ts'
import { audioTrack, heldFrame, videoTrack } from '../media/frames.ts'

class Recorded implements Subscriber {
  readonly kind: 'recording' | 'player'
  readonly calls: string[] = []

  constructor(kind: 'recording' | 'player' = 'player') {
    this.kind = kind
  }
  track(track: Track): void {
    this.calls.push(`track ${track.id}.${track.epoch}`)
  }
  frame(frame: Frame): void {
    this.calls.push(`frame ${frame.track.id}@${frame.dts}`)
  }
  flush(): void {
    this.calls.push('flush')
  }
  end(reason: EndReason): void {
    this.calls.push(`end ${reason}`)
  }
}

function logged(): { logger: Logger; lines: string[] } {
  const lines: string[] = []
  const log = (_fields: object, message: string) => void lines.push(message)
  return { logger: { debug: log, info: log, warn: log, error: log }, lines }
}

const address = { room: 'standup', participant: 'alice' }
const hubWith = (takeover = false, maxStreams = 10) => new Hub({ takeover, maxStreams }, logged().logger)

describe('Hub', () => {
  it('refuses a second publisher; the first goes on', () => {
    const hub = hubWith()
    const first = hub.publish(address, { source: 'embedded' })
    expect(() => hub.publish(address, { source: 'embedded' })).toThrow(NameBusyError)
    expect(first.ended).toBeUndefined()
    expect(hub.find(address)).toBe(first)
  })

  it('with takeover ends the first, disconnects it, and tells listeners in order', () => {
    const hub = hubWith(true)
    const told: string[] = []
    hub.listen({ started: () => told.push('started'), ended: (_stream, reason) => told.push(`ended ${reason}`) })
    const gone: EndReason[] = []
    const first = hub.publish(address, { source: 'embedded', disconnect: (reason) => gone.push(reason) })
    const second = hub.publish(address, { source: 'embedded' })
    expect([first.ended, gone, hub.find(address)]).toEqual(['replaced', ['replaced'], second])
    expect(told).toEqual(['started', 'ended replaced', 'started'])
    first.end('lost')
    expect(hub.find(address)).toBe(second)
  })

  it('gives the name of a publisher that has not been heard for a while to a newcomer, and says so beforehand', () => {
    const hub = hubWith(false, 2)
    const gone: EndReason[] = []
    const heard = { yields: false }
    const first = hub.publish(address, {
      source: 'whip',
      yields: () => heard.yields,
      disconnect: (reason) => gone.push(reason),
    })
    expect(() => hub.demandFree(address)).toThrow(NameBusyError)
    expect(() => hub.publish(address, { source: 'whip' })).toThrow(NameBusyError)
    heard.yields = true
    hub.demandFree(address)
    const second = hub.publish(address, { source: 'whip' })
    expect([first.ended, gone, hub.find(address)]).toEqual(['replaced', ['replaced'], second])
    hub.publish({ room: 'a', participant: 'b' }, { source: 'whip' })
    expect(() => hub.demandFree({ room: 'a', participant: 'c' })).toThrow(LimitError)
  })

  it('has a bound', () => {
    const hub = hubWith(false, 1)
    hub.publish(address, { source: 'embedded' })
    expect(() => hub.publish({ room: 'a', participant: 'b' }, { source: 'embedded' })).toThrow(LimitError)
  })

  it('keeps names apart that look alike when joined', () => {
    const hub = hubWith()
    hub.publish({ room: 'a/b', participant: 'c' }, { source: 'embedded' })
    expect(() => hub.publish({ room: 'a', participant: 'b/c' }, { source: 'embedded' })).not.toThrow()
  })
})

describe('LiveStream', () => {
  it('asks the publisher for a keyframe when somebody joins and no GOP is kept, not otherwise', () => {
    const asked: (number | undefined)[] = []
    const stream = hubWith().publish(address, { source: 'whip', requestKeyframe: (id) => void asked.push(id) })
    stream.subscribe(new Recorded(), { fromKeyframe: false })
    expect(asked).toEqual([])
    stream.subscribe(new Recorded(), { fromKeyframe: true })
    expect(asked).toEqual([undefined])
    stream.track(videoTrack(1))
    stream.write(heldFrame(videoTrack(1), 0, true))
    stream.subscribe(new Recorded(), { fromKeyframe: true })
    expect(asked).toHaveLength(1)
    stream.requestKeyframe(1)
    stream.end('finished')
    stream.requestKeyframe()
    expect(asked).toEqual([undefined, 1])
  })

  it('gives a late joiner the tracks, then the GOP, then what comes; nobody twice', () => {
    const stream = hubWith().publish(address, { source: 'embedded' })
    stream.track(videoTrack(1))
    stream.track(audioTrack(2))
    for (let i = 0; i < 5; i++) stream.write(heldFrame(videoTrack(1), i * 40, i === 0 || i === 3))
    stream.write(heldFrame(audioTrack(2), 170, true))
    const late = new Recorded()
    stream.subscribe(late, { fromKeyframe: true })
    stream.write(heldFrame(videoTrack(1), 200, false))
    stream.end('finished')
    stream.end('lost')
    expect(late.calls).toEqual([
      'track 1.0',
      'track 2.0',
      'frame 1@120',
      'frame 1@160',
      'frame 2@170',
      'flush',
      'frame 1@200',
      'end finished',
    ])
  })

  it('gives back every hold: the GOP kept is let go at the next keyframe and at the end', () => {
    const stream = hubWith().publish(address, { source: 'embedded' })
    const frames = Array.from({ length: 9 }, (_, i) => heldFrame(videoTrack(1), i, i % 3 === 0))
    for (const frame of frames) stream.write(frame)
    expect(frames.map((frame) => frame.block.holders)).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2])
    stream.end('finished')
    expect(frames.every((frame) => frame.block.holders === 1)).toBe(true)
  })

  it('drops a subscriber that throws, and nobody else notices', () => {
    const { logger, lines } = logged()
    const stream = new Hub({ takeover: false, maxStreams: 1 }, logger).publish(address, { source: 'embedded' })
    const good = new Recorded()
    const bad = new Recorded()
    bad.frame = () => {
      throw new Error('broken')
    }
    stream.subscribe(bad, { fromKeyframe: true })
    stream.subscribe(good, { fromKeyframe: true })
    stream.write(heldFrame(videoTrack(1), 0, true))
    stream.write(heldFrame(videoTrack(1), 40, false))
    expect(good.calls.filter((call) => call.startsWith('frame'))).toEqual(['frame 1@0', 'frame 1@40'])
    expect(lines).toEqual(['subscriber failed and was dropped'])
    expect(stream.playerCount).toBe(1)
  })

  it('is congested only while a recording is behind and nobody watches', () => {
    const stream = hubWith().publish(address, { source: 'embedded' })
    const recording = stream.subscribe(new Recorded('recording'), { fromKeyframe: true })
    expect(stream.congested).toBe(false)
    recording.congested = true
    expect(stream.congested).toBe(true)
    const player = stream.subscribe(new Recorded('player'), { fromKeyframe: true })
    expect(stream.congested).toBe(false)
    player.close()
    expect(stream.congested).toBe(true)
    recording.close()
    expect(stream.congested).toBe(false)
  })

  it('counts frames, keyframes and their distance', () => {
    const stream = hubWith().publish(address, { source: 'embedded' })
    for (let i = 0; i < 61; i++) stream.write(heldFrame(videoTrack(1), i * 40, i % 30 === 0, 50))
    stream.write(heldFrame(audioTrack(2), 0, true, 7))
    expect(stream.stats.snapshot()).toMatchObject({
      videoFrames: 61,
      audioFrames: 1,
      bytes: 61 * 50 + 7,
      keyframes: 3,
      keyframeIntervalMs: 1200,
    })
  })
})
