import { describe, expect, it } from 'vitest'
import { Frame } from '../../src/media/frame.ts'
import type { Track } from '../../src/media/track.ts'
import { Timeline } from '../../src/recorder/timeline.ts'
import { audioTrack, videoTrack } from '../media/frames.ts'

const video = videoTrack(1)
const audio = audioTrack(2)
const DATA = new Uint8Array(8)

/** A wall clock that goes only as told. */
class Wall {
  ms = 1000
  readonly now = () => this.ms
}

function frame(track: Track, dts: number, options: { key?: boolean; pts?: number } = {}): Frame {
  return new Frame(track, dts, options.pts ?? dts, options.key ?? track.kind === 'audio', DATA)
}

function begun(atMs = 0, wall = new Wall()): Timeline {
  const timeline = new Timeline({ jumpMs: 10_000, now: wall.now })
  timeline.begin(atMs * 1000)
  return timeline
}

/** Places frames and gives back their times; `undefined` where one was left out. */
function place(timeline: Timeline, ...frames: Frame[]): (number | undefined)[] {
  return frames.map((each) => timeline.place(each)?.dts)
}

/** Both tracks in order of time, 40 ms video with a keyframe a second, 20 ms audio, from `fromMs` by the source's clock. */
function* av(fromMs: number, toMs: number): Generator<Frame> {
  for (let ms = fromMs; ms < toMs; ms += 20) {
    if ((ms - fromMs) % 40 === 0) yield frame(video, ms, { key: (ms - fromMs) % 1000 === 0, pts: ms + 80 })
    yield frame(audio, ms)
  }
}

describe('a timeline', () => {
  it('passes frames on untouched while nothing has to move', () => {
    const timeline = begun()
    const first = frame(video, 0, { key: true })
    expect(timeline.place(first)).toBe(first)
  })

  it('gives all tracks one zero and keeps the distance of picture and sound', () => {
    const timeline = begun(5000)
    const placed = timeline.place(frame(video, 5000, { key: true, pts: 5080 }))
    expect([placed?.dts, placed?.pts]).toEqual([0, 80])
    expect(place(timeline, frame(audio, 5011), frame(video, 5040), frame(audio, 5032))).toEqual([11, 40, 32])
  })

  it('keeps one zero over different timescales', () => {
    const sound = { ...audio, timescale: 48_000 }
    const picture = { ...video, timescale: 90_000 }
    const timeline = begun(10_000)
    expect(place(timeline, frame(picture, 900_000, { key: true }), frame(sound, 480_480))).toEqual([0, 480])
  })

  it('leaves out sound from before the zero, and video before its keyframe', () => {
    const timeline = begun(1000)
    expect(
      place(timeline, frame(audio, 980), frame(video, 960), frame(video, 1000, { key: true }), frame(audio, 1001)),
    ).toEqual([undefined, undefined, 0, 1])
    expect(timeline.skippedFrames).toBe(2)
  })

  it('keeps a picture that begins a little before the zero and comes after it: squeezed at first, then at its time', () => {
    const timeline = begun(1000)
    const late = (dts: number, key = false) => frame(video, dts, { key, pts: dts + 80 })
    const placed = [late(940, true), late(980), late(1020), late(1060)].map((each) => timeline.place(each))
    expect(placed.map((each) => each?.dts)).toEqual([0, 1, 20, 60])
    expect(placed.map((each) => each?.pts)).toEqual([20, 60, 100, 140])
    expect([timeline.skippedFrames, timeline.nudgedFrames]).toEqual([0, 2])
  })

  it('waits for the next keyframe where one lies further before the zero', () => {
    const timeline = begun(1000)
    const frames = [frame(video, 880, { key: true }), frame(video, 980), frame(video, 1020), frame(video, 1060)]
    expect(place(timeline, ...frames)).toEqual([undefined, undefined, undefined, undefined])
    expect(place(timeline, frame(video, 1100, { key: true }))).toEqual([100])
  })

  it('waits for a keyframe at each new configuration of a video track', () => {
    const timeline = begun()
    const next = { ...video, epoch: 1 }
    expect(
      place(
        timeline,
        frame(video, 0, { key: true }),
        frame(next, 40),
        frame(next, 80, { key: true }),
        frame(next, 120),
      ),
    ).toEqual([0, undefined, 80, 120])
  })

  it('keeps dts growing, one tick at a time, and counts', () => {
    const timeline = begun()
    expect(
      place(timeline, frame(audio, 0), frame(audio, 20), frame(audio, 20), frame(audio, 10), frame(audio, 40)),
    ).toEqual([0, 20, 21, 22, 40])
    expect(timeline.nudgedFrames).toBe(2)
    expect(timeline.jumps.count).toBe(0)
  })

  it('never presents a nudged frame before it is decoded, and leaves other presentation times alone', () => {
    const timeline = begun()
    timeline.place(frame(video, 0, { key: true }))
    timeline.place(frame(video, 40, { pts: 40 }))
    const nudged = timeline.place(frame(video, 40, { pts: 40 }))
    expect([nudged?.dts, nudged?.pts]).toEqual([41, 41])
    const early = timeline.place(frame(video, 80, { pts: 70 }))
    expect([early?.dts, early?.pts]).toEqual([80, 70])
  })

  it('keeps a gap that the wall clock explains, however long', () => {
    const wall = new Wall()
    const timeline = begun(0, wall)
    place(timeline, frame(video, 0, { key: true }), frame(audio, 0))
    timeline.touch()
    wall.ms += 60_000
    expect(place(timeline, frame(video, 60_000), frame(audio, 60_010))).toEqual([60_000, 60_010])
    expect(timeline.jumps.count).toBe(0)
  })

  it('keeps a gap of one track while the other goes on, for minutes', () => {
    const timeline = begun()
    timeline.place(frame(video, 0, { key: true }))
    for (let ms = 0; ms <= 300_000; ms += 20) timeline.place(frame(audio, ms))
    expect(place(timeline, frame(video, 300_000))).toEqual([300_000])
    expect(timeline.jumps.count).toBe(0)
  })

  it('tells a wait for a keyframe from a jump', () => {
    const wall = new Wall()
    const timeline = begun(0, wall)
    timeline.place(frame(video, 0, { key: true }))
    timeline.touch()
    timeline.interrupt()
    for (let ms = 40; ms < 15_000; ms += 40) {
      wall.ms += 40
      expect(timeline.place(frame(video, ms))).toBeUndefined()
      timeline.touch()
    }
    expect(place(timeline, frame(video, 15_000, { key: true }))).toEqual([15_000])
    expect(timeline.jumps.count).toBe(0)
  })
})

describe('a clock that jumps', () => {
  /** Runs `frames` through and returns, per kind, the times in the recording. */
  function run(timeline: Timeline, frames: Iterable<Frame>): { video: number[]; audio: number[] } {
    const times: { video: number[]; audio: number[] } = { video: [], audio: [] }
    for (const each of frames) {
      const placed = timeline.place(each)
      if (placed !== undefined) times[placed.track.kind].push(placed.dts)
    }
    return times
  }

  /** The longest step, ms, of a track. */
  const longest = (times: number[]) => Math.max(...times.slice(1).map((at, i) => at - times[i]))

  it.each([
    ['back to zero, as when an encoder restarts', 0],
    ['far forward', 50_000_000],
    ['by a wrap of 32 bits', 100_000 - 2 ** 32],
  ])('%s is healed for both tracks by the same amount', (_, to) => {
    const timeline = begun(100_000)
    const times = run(timeline, [...av(100_000, 101_000), ...av(to, to + 1000)])
    expect(timeline.jumps.count).toBe(1)
    expect(timeline.jumps.listed[0]).toMatchObject({ trackId: 1, atMs: 1000, byMs: to - 100_960 })
    expect(longest(times.video)).toBeLessThanOrEqual(60)
    expect(longest(times.audio)).toBeLessThanOrEqual(40)
    // each second picture frame has a sound frame of the very same time, before the jump and after it
    const sound = new Set(times.audio)
    expect(times.video.every((at) => sound.has(at))).toBe(true)
  })

  it('is followed by the other track when that jumps, later, by the same new clock', () => {
    const timeline = begun(100_000)
    run(timeline, av(100_000, 101_000))
    expect(place(timeline, frame(video, 0, { key: true }))).toEqual([1000])
    expect(place(timeline, frame(audio, 101_000), frame(audio, 101_020))).toEqual([1000, 1020]) // the old clock still
    expect(place(timeline, frame(video, 40), frame(audio, 30), frame(audio, 50))).toEqual([1040, 1030, 1050])
    expect(timeline.jumps.count).toBe(1)
  })

  it('of one track alone moves that track alone, and it finds back', () => {
    const timeline = begun()
    run(timeline, av(0, 5000))
    for (let ms = 5000; ms < 8000; ms += 20) {
      if (ms % 40 === 0) timeline.place(frame(video, ms - 4000))
      expect(place(timeline, frame(audio, ms))).toEqual([ms])
    }
    const [back] = place(timeline, frame(video, 8000))
    expect(back).toBe(8000)
    expect(place(timeline, frame(video, 8040), frame(audio, 8000))).toEqual([8040, 8000])
  })

  it('far apart at the start is brought together', () => {
    const timeline = begun(0)
    place(timeline, frame(audio, 0), frame(audio, 20))
    expect(place(timeline, frame(video, 3_600_000, { key: true }), frame(video, 3_600_040))).toEqual([40, 80])
    expect(timeline.jumps.count).toBe(1)
  })

  it('over and over stays bounded in memory and in order', () => {
    const timeline = begun()
    let last = -1
    for (let i = 0; i < 20_000; i++) {
      const at = timeline.place(frame(i % 3 === 0 ? video : audio, (i * 7_919_317) % 2 ** 32, { key: true }))
      if (at?.track === video) {
        expect(at.dts).toBeGreaterThan(last)
        last = at.dts
      }
    }
    expect(timeline.jumps.count).toBeGreaterThan(1000)
    expect(timeline.jumps.listed.length).toBe(100)
  })
})

describe('a pause', () => {
  it('leaves no hole: the next keyframe follows what was recorded last', () => {
    const timeline = begun()
    for (const each of av(0, 1000)) timeline.place(each)
    timeline.closeUp()
    expect(place(timeline, frame(audio, 9980), frame(video, 9990))).toEqual([undefined, undefined])
    expect(place(timeline, frame(video, 10_000, { key: true }), frame(audio, 9990), frame(audio, 10_005))).toEqual([
      1000,
      undefined,
      1005,
    ])
    expect(place(timeline, frame(video, 10_040), frame(audio, 10_025))).toEqual([1040, 1025])
    expect(timeline.jumps.count).toBe(0)
  })

  it('ends with sound where there is no picture', () => {
    const timeline = begun()
    place(timeline, frame(audio, 0), frame(audio, 20))
    timeline.closeUp()
    expect(place(timeline, frame(audio, 5000), frame(audio, 5020))).toEqual([40, 60])
  })

  it('does not wait for ever for a picture that went away', () => {
    const timeline = begun()
    for (const each of av(0, 1000)) timeline.place(each)
    timeline.closeUp()
    let at: number | undefined
    let ms = 2000
    for (; at === undefined && ms < 60_000; ms += 20) at = timeline.place(frame(audio, ms))?.dts
    expect(ms).toBeGreaterThan(20_000)
    expect(ms).toBeLessThan(23_000)
    expect(at).toBe(1000)
  })

  it('absorbs a clock that was set back meanwhile', () => {
    const timeline = begun(500_000)
    for (const each of av(500_000, 501_000)) timeline.place(each)
    timeline.closeUp()
    expect(place(timeline, frame(video, 0, { key: true }), frame(audio, 10))).toEqual([1000, 1010])
    expect(timeline.jumps.count).toBe(0)
  })
})
