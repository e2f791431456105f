import { describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import { MediaClock } from '../../src/rtp/media-clock.ts'
import { AUDIO, corrections, mean, NTP_MS, Sender, START_MS, spread, VIDEO } from './clock-sender.ts'

describe('the media clock', () => {
  it('follows RTP time to the tick while nothing is wrong, over the wrap as well', () => {
    const sender = new Sender(1, 0)
    const video = sender.stream({ ...VIDEO, delayMs: 0 })
    sender.run(0, 30_000)
    expect(Math.min(...video.placed.map(({ rtp }) => rtp))).toBeLessThan(1_000_000)
    expect(corrections(video).filter((step) => step !== 0)).toEqual([])
    expect(spread(video.errors(0))).toBeLessThan(0.1)
  })

  it('brings sound and picture together by reports, without a jump', () => {
    const sender = new Sender(2, 30)
    const audio = sender.stream(AUDIO)
    const video = sender.stream({ ...VIDEO, delayMs: 80 })
    sender.run(0, 60_000)
    const apart = (fromMs: number, toMs: number) =>
      Math.abs(mean(video.errors(fromMs, toMs)) - mean(audio.errors(fromMs, toMs)))
    expect(apart(0, 500)).toBeGreaterThan(50)
    expect(apart(7000, 20_000)).toBeLessThan(6)
    expect(apart(20_000, 60_000)).toBeLessThan(4)
    expect(Math.max(...corrections(video).map(Math.abs))).toBeLessThanOrEqual(60) // a fiftieth of 33 ms
    expect(Math.max(...corrections(audio).map(Math.abs))).toBeLessThanOrEqual(20)
    expect(spread(audio.errors(2000))).toBeLessThan(8)
    expect(Math.max(...corrections(video, 20_000).map(Math.abs))).toBeLessThanOrEqual(1)
    expect(Math.max(...corrections(audio, 20_000).map(Math.abs))).toBeLessThanOrEqual(1)
    expect(video.track.delayMs - audio.track.delayMs).toBeGreaterThan(75)
    expect(video.track.delayMs - audio.track.delayMs).toBeLessThan(86)
  })

  it('has both together from the first frame when packets tell when they were captured', () => {
    const sender = new Sender(3, 30)
    const audio = sender.stream(AUDIO)
    const video = sender.stream({ ...VIDEO, delayMs: 80 })
    audio.report(0, 0, 0)
    video.report(0, 0, 0)
    sender.run(0, 3000)
    expect(Math.abs(mean(video.errors(0)) - mean(audio.errors(0)))).toBeLessThan(2)
  })

  it.each([100, -100])('measures and follows a drift of %i ppm between the sender’s clocks', (driftPpm) => {
    const sender = new Sender(4, 60)
    const audio = sender.stream({ ...AUDIO, driftPpm })
    const video = sender.stream(VIDEO)
    sender.run(0, 600_000)
    expect(Math.abs(audio.clock.driftPpm - driftPpm)).toBeLessThan(15)
    expect(Math.abs(video.clock.driftPpm)).toBeLessThan(30)
    for (let at = 30_000; at < 600_000; at += 30_000) {
      const apart = mean(video.errors(at, at + 30_000)) - mean(audio.errors(at, at + 30_000))
      expect(Math.abs(apart)).toBeLessThan(5)
    }
    expect(Math.max(...corrections(audio, 30_000).map(Math.abs))).toBeLessThanOrEqual(1)
    expect(Math.max(...corrections(video, 30_000).map(Math.abs))).toBeLessThanOrEqual(2)
  })

  it.each([100, -100])('follows our own clock when the sender’s wall clock drifts by %i ppm', (wallPpm) => {
    const sender = new Sender(5, 40)
    sender.wallPpm = wallPpm
    const audio = sender.stream(AUDIO)
    const video = sender.stream(VIDEO)
    sender.run(0, 600_000)
    for (const stream of [audio, video]) {
      const settled = mean(stream.errors(30_000, 60_000))
      expect(Math.abs(mean(stream.errors(570_000)) - settled)).toBeLessThan(10)
      expect(Math.max(...corrections(stream, 30_000).map(Math.abs))).toBeLessThanOrEqual(2)
    }
    expect(Math.abs(mean(video.errors(570_000)) - mean(audio.errors(570_000)))).toBeLessThan(5)
  })

  it('follows arrival where there are no reports at all', () => {
    const sender = new Sender(6, 40)
    const audio = sender.stream({ ...AUDIO, driftPpm: 100 })
    audio.reports = false
    sender.run(0, 600_000)
    expect(Math.abs(mean(audio.errors(570_000)) - mean(audio.errors(30_000, 60_000)))).toBeLessThan(10)
  })

  it('lives with most reports lost', () => {
    const sender = new Sender(7, 60)
    const audio = sender.stream({ ...AUDIO, reportEveryMs: 35_000 })
    const video = sender.stream({ ...VIDEO, reportEveryMs: 25_000, driftPpm: 50 })
    sender.run(0, 300_000)
    const apart = mean(video.errors(100_000)) - mean(audio.errors(100_000))
    expect(Math.abs(apart)).toBeLessThan(8)
  })

  it('puts layers of one track on one line, whatever their offsets, also before their first report', () => {
    const sender = new Sender(8, 30)
    const low = sender.stream(VIDEO)
    const high = sender.stream({ ...VIDEO, randomStart: 77 }, low.track)
    const late = sender.stream({ ...VIDEO, randomStart: 2_000_000_000, firstReportMs: 9000 }, low.track)
    sender.stream(AUDIO)
    late.isPaused = true
    sender.run(0, 20_000)
    late.isPaused = false
    sender.run(20_000, 40_000)
    expect(Math.abs(mean(low.errors(15_000)) - mean(high.errors(15_000)))).toBeLessThan(2)
    expect(Math.abs(mean(late.errors(20_000, 25_000)) - mean(low.errors(20_000, 25_000)))).toBeLessThan(12)
    expect(Math.abs(mean(late.errors(35_000)) - mean(low.errors(35_000)))).toBeLessThan(3)
  })

  it('has a layer that rested on the line of those that went on', () => {
    const clock = new MediaClock()
    const track = clock.track(90_000)
    const [resting, going] = [track.encoding(), track.encoding()]
    const apart: number[] = []
    for (let ms = 0; ms < 12_000; ms += 40) {
      if (ms % 1000 === 0) going.reference(NTP_MS + ms, ms * 90)
      if (ms === 0) resting.reference(NTP_MS, 0)
      // the network becomes faster while the one layer rests
      const arrivalMs = 5000 + ms + Math.max(0, 80 - Math.max(0, ms - 2000) / 50)
      const time = going.timeOf(ms * 90, arrivalMs)
      if (ms < 2000 || ms >= 8000) apart.push(Math.abs(resting.timeOf(ms * 90, arrivalMs) - time) / 90)
    }
    expect(Math.max(...apart)).toBeLessThan(8)
  })

  it('knows how late a track is by what flows, and by what did where nothing does', () => {
    const sender = new Sender(17, 5)
    const before = sender.stream({ ...VIDEO, delayMs: 30 })
    const after = sender.stream({ ...VIDEO, delayMs: 130, randomStart: 77 }, before.track)
    const audio = sender.stream(AUDIO)
    const offset = () => before.track.delayMs - audio.track.delayMs
    after.isPaused = true
    sender.run(0, 20_000)
    expect(Math.abs(offset() - 30)).toBeLessThan(8)
    before.isPaused = true
    sender.run(20_000, 24_000)
    expect(Math.abs(offset() - 30)).toBeLessThan(8)
    after.isPaused = false
    sender.run(24_000, 40_000)
    expect(Math.abs(offset() - 130)).toBeLessThan(8)
  })

  it('leaves the hole of a sender that slept where it was, when its RTP clocks went on', () => {
    const sender = new Sender(9, 20)
    const audio = sender.stream(AUDIO)
    const video = sender.stream(VIDEO)
    sender.run(0, 20_000)
    sender.run(30_000, 50_000)
    for (const stream of [audio, video]) {
      expect(stream.clock.resets).toBe(0)
      expect(Math.abs(mean(stream.errors(30_000)) - mean(stream.errors(15_000, 20_000)))).toBeLessThan(6)
    }
  })

  it('finds the hole by arrival, and then by reports, when one of its RTP clocks stood still', () => {
    const sender = new Sender(10, 20)
    const audio = sender.stream(AUDIO)
    const video = sender.stream(VIDEO)
    sender.run(0, 20_000)
    audio.shiftMs = -10_000
    sender.run(30_000, 60_000)
    expect(audio.clock.resets).toBe(1)
    const before = mean(audio.errors(15_000, 20_000))
    expect(Math.abs(mean(audio.errors(30_100, 31_000)) - before)).toBeLessThan(40)
    expect(Math.abs(mean(audio.errors(50_000)) - mean(video.errors(50_000)))).toBeLessThan(5)
    const ticks = audio.placed.map((frame) => frame.ticks)
    expect(ticks.every((at, i) => i === 0 || at > ticks[i - 1])).toBe(true)
  })

  it('finds a short sleep of one RTP clock by reports', () => {
    const sender = new Sender(11, 20)
    const audio = sender.stream(AUDIO)
    const video = sender.stream(VIDEO)
    sender.run(0, 20_000)
    audio.shiftMs = -3000
    sender.run(23_000, 60_000)
    expect(Math.abs(mean(audio.errors(40_000)) - mean(video.errors(40_000)))).toBeLessThan(5)
  })

  it.each([1_000_000, -1_000_000, 20_000, -20_000])('goes on after RTP time was set by %i ms', (shiftMs) => {
    const sender = new Sender(12, 20)
    const audio = sender.stream(AUDIO)
    const video = sender.stream(VIDEO)
    sender.run(0, 20_000)
    video.shiftMs = shiftMs
    sender.run(20_000, 50_000)
    expect(video.clock.resets).toBe(1)
    expect(Math.abs(mean(video.errors(40_000)) - mean(audio.errors(40_000)))).toBeLessThan(5)
    const ticks = video.placed.map((frame) => frame.ticks)
    expect(ticks.every((at, i) => i === 0 || at > ticks[i - 1])).toBe(true)
  })

  it('is not moved by what was only held up and comes in a burst', () => {
    const sender = new Sender(13, 10)
    const audio = sender.stream(AUDIO)
    sender.run(0, 20_000)
    const before = mean(audio.errors(10_000))
    for (let at = 20_000; at < 28_000; at += 20) audio.frame(at, START_MS + 28_000 + at / 100_000, 0)
    sender.run(28_020, 40_000)
    expect(audio.clock.resets).toBe(0)
    expect(Math.abs(mean(audio.errors(20_000)) - before)).toBeLessThan(2)
  })

  it('stays where it is when the sender’s wall clock is set', () => {
    const sender = new Sender(14, 20)
    const audio = sender.stream(AUDIO)
    const video = sender.stream(VIDEO)
    sender.run(0, 30_000)
    audio.wallShiftMs = video.wallShiftMs = 3_600_000
    sender.run(30_000, 90_000)
    expect(spread(audio.errors(15_000))).toBeLessThan(8)
    expect(spread(video.errors(15_000))).toBeLessThan(8)
    expect(Math.abs(mean(audio.errors(60_000)) - mean(video.errors(60_000)))).toBeLessThan(5)
  })

  it('passes over a sender whose tracks have no common wall clock, and one without any', () => {
    const sender = new Sender(15, 20)
    const audio = sender.stream(AUDIO)
    const video = sender.stream({ ...VIDEO, delayMs: 0 })
    audio.wallShiftMs = 86_400_000
    sender.run(0, 30_000)
    expect(Math.abs(mean(audio.errors(10_000)) - mean(video.errors(10_000)))).toBeLessThan(20)
    audio.clock.reference(0, 1)
    expect(spread(audio.errors(10_000))).toBeLessThan(6)
  })

  it('gives times that are never below 0, whatever comes', () => {
    const pick = random(16)
    const { clock } = new Sender(16, 0).stream(VIDEO)
    let arrivalMs = START_MS
    for (let i = 0; i < 20_000; i++) {
      arrivalMs += pick(60)
      if (pick(10) === 0) clock.reference(pick(3) === 0 ? pick(2 ** 31) * 5000 : NTP_MS + arrivalMs, pick(2 ** 32))
      const ticks = clock.timeOf(pick(4) === 0 ? pick(2 ** 32) : (arrivalMs * 90) % 2 ** 32, arrivalMs)
      if (!(Number.isInteger(ticks) && ticks >= 0 && ticks < 1e15)) throw new Error(`${ticks}`)
    }
  })
})
