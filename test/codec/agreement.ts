import { expect } from 'vitest'
import { isKeyframe } from '../../src/codec/keyframe.ts'
import { frameDurationTicks, frameSamples } from '../../src/codec/samples.ts'
import { describeTrack, refineTrack } from '../../src/codec/track.ts'
import type { AudioCodec, Track, VideoCodec } from '../../src/media/track.ts'
import type { EncodedStream } from './encoded-stream.ts'

/** Microseconds, so that durations compare closely. */
const TIMESCALE = 1_000_000

/** The track that a stream gives: its configuration, then its first packet. */
export function trackOf(codec: VideoCodec | AudioCodec, stream: EncodedStream): Track {
  const bare = describeTrack({ id: 1, epoch: 0, timescale: TIMESCALE, codec, config: stream.config })
  return refineTrack(bare, stream.packets[0].data)
}

/** Our reading of a stream must be ffprobe's: sizes, rates, keyframes, durations. */
export function expectAgreement(codec: VideoCodec | AudioCodec, stream: EncodedStream): void {
  const track = trackOf(codec, stream)
  const { probe, packets } = stream
  if (track.kind === 'video') {
    expect({ width: track.width, height: track.height }).toEqual({ width: probe.width, height: probe.height })
    const [frames, seconds] = String(probe.r_frame_rate).split('/').map(Number)
    if (track.frameRate !== undefined) expect(track.frameRate).toBeCloseTo(frames / seconds, 6)
  } else {
    expect({ rate: String(track.sampleRateHz), channels: track.channels }).toEqual({
      rate: probe.sample_rate,
      channels: probe.channels,
    })
  }
  packets.forEach(({ key, duration, data }, i) => {
    expect(refineTrack(track, data)).toBe(track)
    expect({ packet: i, key: isKeyframe(track, data) }).toEqual({ packet: i, key })
    if (track.kind === 'video') return
    const ticks = frameDurationTicks(track, data) ?? Number.NaN
    const samples = frameSamples(track, data) ?? Number.NaN
    expect(Math.abs(ticks - (samples / track.sampleRateHz) * TIMESCALE)).toBeLessThanOrEqual(0.5)
    // The last packet of a file may be cut to the length of the sound.
    if (i < packets.length - 1) expect(Math.abs(ticks - duration * TIMESCALE)).toBeLessThanOrEqual(12)
  })
}
