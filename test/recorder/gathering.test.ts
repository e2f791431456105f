import { describe, expect, it } from 'vitest'
import { Gathering } from '../../src/recorder/gathering.ts'
import { audioTrack, heldFrame, videoTrack } from '../media/frames.ts'

const video = videoTrack(1)
const audio = audioTrack(2)
const fresh = () => new Gathering({ trackWaitMs: 1500, maxBytes: 100_000 })

/** The dts of what was gathered, letting go of it. */
function drain(gathering: Gathering): number[] {
  const times: number[] = []
  for (let frame = gathering.shift(); frame !== undefined; frame = gathering.shift()) {
    times.push(frame.dts)
    frame.release()
  }
  return times
}

describe('the gathering of a beginning', () => {
  it('is over as soon as picture and sound are there', () => {
    const gathering = fresh()
    gathering.announce(video)
    gathering.announce(audio)
    gathering.push(heldFrame(video, 0, true), 1)
    expect(gathering.isReady(1)).toBe(false)
    gathering.push(heldFrame(audio, 5, true), 2)
    expect(gathering.isReady(2)).toBe(true)
    expect(gathering.tracks).toEqual([video, audio])
    expect(gathering.zeroUs).toBe(0)
  })

  it('waits for a second track by the wall clock', () => {
    const gathering = fresh()
    gathering.push(heldFrame(video, 0, true), 1000)
    expect(gathering.isReady(2499)).toBe(false)
    expect(gathering.isReady(2500)).toBe(true)
  })

  it('waits longer, and keeps the sound, where the source has video whose keyframe is under way', () => {
    let awaits = true
    const gathering = new Gathering({ trackWaitMs: 500, maxBytes: 100_000, awaitsVideo: () => awaits })
    for (let ms = 0; ms <= 2000; ms += 500) gathering.push(heldFrame(audio, ms, true), ms)
    expect(gathering.isReady(2000)).toBe(false)
    expect(gathering.isReady(3000)).toBe(true)
    gathering.push(heldFrame(video, 2010, true), 2010)
    expect(gathering.isReady(2010)).toBe(true)
    expect(gathering.zeroUs).toBe(0)
    expect(drain(gathering)).toEqual([0, 500, 1000, 1500, 2000, 2010])
    const without = new Gathering({ trackWaitMs: 500, maxBytes: 100_000, awaitsVideo: () => awaits })
    without.push(heldFrame(audio, 0, true), 0)
    awaits = false
    expect(without.isReady(500)).toBe(true)
    without.clear()
  })

  it('waits no longer than that in media time, when media comes faster than time goes', () => {
    const gathering = fresh()
    for (let ms = 0; ms < 1480; ms += 40) gathering.push(heldFrame(video, ms, ms === 0), 1)
    expect(gathering.isReady(1)).toBe(false)
    gathering.push(heldFrame(video, 1500, false), 1)
    expect(gathering.isReady(1)).toBe(true)
  })

  it('is over before anything would have to be dropped', () => {
    const gathering = fresh()
    gathering.push(heldFrame(video, 0, true, 60_000), 1)
    expect(gathering.isReady(1)).toBe(true)
    expect(gathering.length).toBe(1)
  })

  it('keeps sound that leads the first keyframe by a moment, and makes its time the zero', () => {
    const gathering = fresh()
    gathering.push(heldFrame(audio, 77, true), 1)
    gathering.push(heldFrame(video, 100, true), 1)
    expect(gathering.isReady(1)).toBe(true)
    expect(gathering.zeroUs).toBe(77_000)
    expect(drain(gathering)).toEqual([77, 100])
  })

  it('begins at the keyframe where picture before it had to be left out', () => {
    const gathering = fresh()
    gathering.push(heldFrame(audio, 77, true), 1)
    gathering.push(heldFrame(video, 80, false), 1)
    expect(gathering.isReady(10_000)).toBe(false) // such a picture surely has a keyframe to come
    gathering.push(heldFrame(video, 120, true), 1)
    expect(gathering.isReady(2)).toBe(true)
    expect(gathering.zeroUs).toBe(120_000)
    expect(gathering.skippedFrames).toBe(1)
  })

  it('does not wait for ever for a keyframe', () => {
    const gathering = fresh()
    gathering.push(heldFrame(video, 0, false), 1)
    expect(gathering.isReady(30_000)).toBe(false) // nothing that could be recorded
    gathering.push(heldFrame(audio, 0, true), 1)
    expect(gathering.isReady(19_000)).toBe(false)
    expect(gathering.isReady(20_001)).toBe(true)
    expect(gathering.tracks).toEqual([audio])
  })

  it('puts picture before sound, whoever came first', () => {
    const gathering = fresh()
    gathering.push(heldFrame(audio, 0, true), 1)
    gathering.push(heldFrame(video, 0, true), 1)
    expect(gathering.tracks).toEqual([video, audio])
    gathering.clear()
  })

  it('leaves out a track that is announced but never comes', () => {
    const gathering = fresh()
    gathering.announce(video)
    gathering.push(heldFrame(audio, 0, true), 1)
    expect(gathering.isReady(1600)).toBe(true)
    expect(gathering.tracks).toEqual([audio])
  })
})
