import { describe, expect, it } from 'vitest'
import { AUDIO, corrections, mean, NTP_MS, Sender, spread, VIDEO } from './clock-sender.ts'

/** Sound and picture of one sender whose reports are wrong at times. */
function sending(seed: number) {
  const sender = new Sender(seed, 20)
  const audio = sender.stream(AUDIO)
  const video = sender.stream(VIDEO)
  sender.run(0, 60_000)
  const apart = (fromMs: number, toMs = Number.POSITIVE_INFINITY) =>
    Math.abs(mean(video.errors(fromMs, toMs)) - mean(audio.errors(fromMs, toMs)))
  return { sender, audio, video, apart }
}

describe('reports of a sender', () => {
  it.each([-2000, -1300, -600, -400, -150, 150, 400, 600, 2000])('move nothing when one is off by %i ms', (offMs) => {
    const { sender, video, apart } = sending(20)
    video.wallShiftMs = offMs
    sender.run(60_000, 61_000)
    video.wallShiftMs = 0
    sender.run(61_000, 120_000)
    expect(Math.max(...corrections(video, 50_000).map(Math.abs))).toBeLessThanOrEqual(2)
    expect(apart(62_000, 90_000)).toBeLessThan(3)
  })

  it.each([-400, -150, 150, 400])('are followed when the RTP clock of the sound lags by %i ms from now on', (lagMs) => {
    const { sender, audio, video, apart } = sending(21)
    audio.shiftMs = -lagMs
    sender.run(60_000, 200_000)
    expect(apart(120_000)).toBeLessThan(4)
    expect(audio.clock.resets + video.clock.resets).toBe(0)
    expect(Math.max(...corrections(video, 50_000).map(Math.abs))).toBeLessThanOrEqual(60) // a fiftieth of 33 ms
  })

  it.each([-400, -150, 150, 400])('are followed when the wall clock is set by no more than %i ms', (setMs) => {
    const { sender, audio, video, apart } = sending(22)
    audio.wallShiftMs = video.wallShiftMs = setMs
    sender.run(60_000, 200_000)
    expect(apart(120_000)).toBeLessThan(4)
    expect(Math.max(...corrections(audio, 50_000).map(Math.abs))).toBeLessThanOrEqual(20)
  })

  it('are believed in what they say last when the first one was held up', () => {
    const sender = new Sender(23, 20)
    const audio = sender.stream(AUDIO)
    const video = sender.stream(VIDEO)
    audio.wallShiftMs = 250
    sender.run(0, 5000)
    audio.wallShiftMs = 0
    sender.run(5000, 60_000)
    expect(Math.abs(mean(video.errors(30_000)) - mean(audio.errors(30_000)))).toBeLessThan(4)
  })

  it('wrap in 2036, when the seconds of NTP begin anew at 0, and nothing moves', () => {
    const ERA_MS = 2 ** 32 * 1000
    const sender = new Sender(24, 20)
    const streams = [sender.stream(AUDIO), sender.stream(VIDEO)]
    for (const stream of streams) stream.wallShiftMs = ERA_MS - NTP_MS - 60_000
    sender.run(0, 60_000)
    for (const stream of streams) stream.wallShiftMs -= ERA_MS
    sender.run(60_000, 120_000)
    for (const stream of streams) expect(spread(stream.errors(20_000))).toBeLessThan(8)
    const [audio, video] = streams.map((stream) => mean(stream.errors(90_000)))
    expect(Math.abs(video - audio)).toBeLessThan(4)
  })
})
