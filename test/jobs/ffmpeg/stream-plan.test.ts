import { describe, expect, it } from 'vitest'
import { conversionArguments } from '../../../src/jobs/ffmpeg/conversion-arguments.ts'
import { PacketTally } from '../../../src/jobs/ffmpeg/packet-tally.ts'
import { planRemux, planRendition } from '../../../src/jobs/ffmpeg/stream-plan.ts'
import type { SurveyedStream } from '../../../src/jobs/ffmpeg/survey.ts'
import { PRESETS } from '../../../src/service/quality.ts'

const encoders = ['libx264', 'h264_nvenc', 'libvpx', 'libsvtav1', 'aac', 'libopus']
const facts = { ffmpeg: 'ffmpeg', ffprobe: 'ffprobe', version: '6.0', encoders, timingOption: '-fps_mode' } as const
const choice = { facts, prefersHardware: false }
const shared = {
  packets: 1,
  bytes: 1,
  startSeconds: 0,
  lastSeconds: 9,
  endSeconds: 10,
  isSteady: true,
  color: {},
  title: undefined,
}
const video: SurveyedStream = {
  ...{ ...shared, index: 0, kind: 'video', codec: 'h264', width: 1920, height: 1080, pixelAspect: 1, isTurned: false },
  ...{ sampleRateHz: 0, channels: 0, packetsPerSecond: 30, bitrate: 4_000_000 },
}
const audio: SurveyedStream = {
  ...{ ...shared, index: 1, kind: 'audio', codec: 'aac', width: 0, height: 0, pixelAspect: 1, isTurned: false },
  ...{ sampleRateHz: 48_000, channels: 2, packetsPerSecond: 46.875, bitrate: 128_000 },
}
const survey = (...streams: SurveyedStream[]) => ({ path: '/x', streams, durationSeconds: 10 })
const goal = { resolution: null, video_bitrate: null, audio_bitrate: null, fps: null, source_percent: null }
const summary = (plans: ReturnType<typeof planRemux>) =>
  plans.map(({ encoding }) => (encoding === undefined ? 'copy' : [encoding.encoder.name, encoding.bitrate]))

describe('a rendition', () => {
  it('encodes what is beyond its aims, and nothing else', () => {
    const plan = (preset: keyof typeof PRESETS, ...streams: SurveyedStream[]) =>
      summary(planRendition(survey(...streams), 'mp4', { ...PRESETS[preset], source_percent: null }, choice))
    expect(plan('high', video, audio)).toEqual(['copy', 'copy'])
    expect(plan('medium', video, audio)).toEqual([['libx264', 2_500_000], 'copy'])
    expect(plan('low', video, audio)).toEqual([
      ['libx264', 1_000_000],
      ['aac', 96_000],
    ])
    expect(plan('high', { ...video, packetsPerSecond: 60 }, audio)).toEqual([['libx264', 4_000_000], 'copy'])
    expect(plan('medium', { ...video, bitrate: 900_000 })).toEqual([['libx264', 900_000]])
    expect(plan('high', { ...video, codec: 'hevc' }, { ...audio, codec: 'opus' })).toEqual([
      ['libx264', 4_000_000],
      ['aac', 128_000],
    ])
  })

  it('of a share of the source is that share', () => {
    const half = planRendition(
      survey(video, audio),
      'mkv',
      { ...goal, source_percent: 50, audio_bitrate: 64_000 },
      choice,
    )
    expect(summary(half)).toEqual([
      ['libx264', 2_000_000],
      ['aac', 64_000],
    ])
    expect(half[0]?.encoding).toMatchObject({ size: { width: 1920, height: 1080 }, maxFps: undefined })
  })

  it('takes the encoders that there are', () => {
    const plan = (format: 'webm' | 'mp4', having: readonly string[], prefersHardware = false) =>
      summary(planRendition(survey(video), format, goal, { facts: { ...facts, encoders: having }, prefersHardware }))
    expect(plan('webm', encoders)).toEqual([['libvpx', 4_000_000]])
    expect(plan('webm', ['libvpx', 'libvpx-vp9'])).toEqual([['libvpx-vp9', 4_000_000]])
    expect(plan('webm', ['libaom-av1'])).toEqual([['libaom-av1', 4_000_000]])
    const hevc = (having: readonly string[], prefersHardware: boolean) =>
      summary(
        planRendition(survey({ ...video, codec: 'hevc' }), 'mp4', goal, {
          ...{ facts: { ...facts, encoders: having }, prefersHardware },
        }),
      )
    expect(hevc(encoders, true)).toEqual([['h264_nvenc', 4_000_000]])
    expect(hevc(encoders, false)).toEqual([['libx264', 4_000_000]])
    expect(hevc(['h264_vaapi'], false)).toEqual([['h264_vaapi', 4_000_000]])
    expect(() => hevc(['libvpx'], false)).toThrow(expect.objectContaining({ code: 'TD_UNSUPPORTED', fault: 'caller' }))
  })
})

describe('a remux', () => {
  it('copies what the container holds', () => {
    const vp8 = { ...video, codec: 'vp8' }
    const opus = { ...audio, codec: 'opus' }
    expect(summary(planRemux(survey(video, audio), 'mkv', choice))).toEqual(['copy', 'copy'])
    expect(summary(planRemux(survey(vp8, opus), 'webm', choice))).toEqual(['copy', 'copy'])
    expect(summary(planRemux(survey(vp8, opus), 'mp4', choice))).toEqual([['libx264', 4_000_000], 'copy'])
    expect(summary(planRemux(survey(vp8, opus), 'flv', choice))).toEqual([
      ['libx264', 4_000_000],
      ['aac', 128_000],
    ])
    expect(summary(planRemux(survey(video, audio), 'webm', choice))).toEqual([
      ['libvpx', 4_000_000],
      ['libopus', 128_000],
    ])
    expect(planRemux(survey(video, { ...video }, audio, { ...audio }), 'flv', choice)).toHaveLength(2)
  })
})

describe('a command line', () => {
  it('has two passes only for what needs them', () => {
    const plans = planRendition(survey(video, audio), 'mp4', { ...PRESETS.low, source_percent: null }, choice)
    const pass = { log: '/tmp/log', output: '/tmp/out.mp4' }
    const analysis = conversionArguments('/tmp/in.mp4', 'mp4', plans, { ...pass, kind: 'analysis' }, facts)
    expect(analysis.slice(-3)).toEqual(['-f', 'null', '-'])
    expect(analysis.join(' ')).toContain('-map 0:0')
    expect(analysis.join(' ')).not.toContain('-map 0:1')
    const final = conversionArguments('/tmp/in.mp4', 'mp4', plans, { ...pass, kind: 'final' }, facts).join(' ')
    expect(final).toMatch(
      /-map 0:0 -c:0 libx264 .*-b:0 1000000 .*-pass:0 2 -passlogfile:0 \/tmp\/log .*-map 0:1 -c:1 aac/,
    )
    expect(final).toMatch(/\+faststart .*-y file:\/tmp\/out\.mp4$/)
  })

  it('brings pictures into the chip that encodes them', () => {
    const having = {
      facts: { ...facts, encoders: ['h264_vaapi'], timingOption: '-vsync' as const },
      prefersHardware: false,
    }
    const plans = planRendition(survey(video), 'mp4', { ...PRESETS.low, source_percent: null }, having)
    const pass = { kind: 'only', log: '', output: '/o.mp4' } as const
    const args = conversionArguments('/i.mp4', 'mp4', plans, pass, having.facts).join(' ')
    expect(args).toMatch(/-vaapi_device \S+ -i file:\/i\.mp4/)
    expect(args).toMatch(/setsar=1,format=nv12,hwupload/)
    expect(args).toContain('-vsync passthrough')
    expect(args).not.toMatch(/-pix_fmt|-pass/)
  })
})

describe('a tally of packets', () => {
  it('knows the order of showing, hidden packets, and what is not known', () => {
    const tally = new PacketTally()
    tally.add(-0.02, -0.02, 0.02, 10, 'KD_')
    for (const [pts, dts] of [
      [0.08, 0],
      [0.04, 0.04],
      [0.16, 0.08],
      [0.12, 0.12],
    ])
      tally.add(pts, dts, 0.04, 100, '__')
    expect(tally.sum()).toMatchObject({
      packets: 5,
      bytes: 410,
      startSeconds: 0.04,
      lastSeconds: 0.16,
      endSeconds: 0.2,
    })
    const steady = new PacketTally()
    for (const at of [0, 0.033, 0.067, 0.1]) steady.add(at, at, Number.NaN, 100, 'K')
    expect(steady.sum()).toMatchObject({ isSteady: true, bitrate: Math.round(3200 / (0.4 / 3)) })
    steady.add(0.5, 0.5, Number.NaN, 100, 'K')
    expect(steady.sum()?.isSteady).toBe(false)
    expect(new PacketTally().sum()).toBeUndefined()
  })
})
