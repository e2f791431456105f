import { describe, expect, it } from 'vitest'
import { codecString } from '../../src/codec/codec-string.ts'
import { isKeyframe } from '../../src/codec/keyframe.ts'
import { describeTrack, refineTrack } from '../../src/codec/track.ts'
import { MalformedError } from '../../src/media/errors.ts'
import { expectAgreement, trackOf } from './agreement.ts'
import { VECTORS, vector } from './vectors.ts'

describe('tracks of real streams', () => {
  it.each(VECTORS)('$name is what ffprobe says', (stream) => {
    expectAgreement(stream.codec, stream)
  })

  it.each([
    ['h264-480p', 30000 / 1001],
    ['h264-interlaced', 25],
    ['hevc-480p', 30000 / 1001],
    ['hevc-444', 60],
  ])('%s states its frame rate', (name, rate) => {
    const track = trackOf(vector(name).codec, vector(name))
    expect(track.kind === 'video' && track.frameRate).toBeCloseTo(rate, 6)
  })

  it('names codecs as players know them', () => {
    const strings = Object.fromEntries(VECTORS.map((each) => [each.name, codecString(trackOf(each.codec, each))]))
    expect(strings).toMatchInlineSnapshot(`
      {
        "aac-51": "mp4a.40.2",
        "aac-mono-low": "mp4a.40.2",
        "aac-stereo": "mp4a.40.2",
        "ac3-441": "ac-3",
        "ac3-51": "ac-3",
        "av1-10bit": "av01.0.00M.10",
        "av1-444": "av01.1.00M.08.0.000.01.01.01.0",
        "av1-aom": "av01.0.04M.08",
        "av1-svt": "av01.0.08M.08",
        "eac3-51": "ec-3",
        "eac3-stereo": "ec-3",
        "flac": "flac",
        "flac-odd": "flac",
        "h264-422-10": "avc1.7a0015",
        "h264-444": "avc1.f40015",
        "h264-480p": "avc1.64001f",
        "h264-interlaced": "avc1.640028",
        "h264-odd": "avc1.4d4028",
        "h264-open-gop": "avc1.64000c",
        "h264-scaling": "avc1.64000d",
        "hevc-10bit": "hvc1.2.4.L90.90",
        "hevc-444": "hvc1.4.10.L60.9e.8",
        "hevc-480p": "hvc1.1.6.L90.90",
        "hevc-odd": "hvc1.1.6.L120.90",
        "mp3-low": "mp4a.69",
        "mp3-stereo": "mp4a.6B",
        "opus-51": "opus",
        "opus-60ms": "opus",
        "opus-stereo": "opus",
        "vp8": "vp8",
        "vp9": "vp09.00.30.08",
        "vp9-422-10": "vp09.03.11.10",
        "vp9-odd": "vp09.00.40.08",
      }
    `)
  })

  it('keeps a configuration of its own, also of a Buffer', () => {
    const config = Buffer.from(vector('h264-480p').config)
    const track = describeTrack({ id: 1, epoch: 0, timescale: 1000, codec: 'h264', config })
    config.fill(0)
    expect(Buffer.from(track.config)).toEqual(vector('h264-480p').config)
  })

  it.each(VECTORS.filter(({ config }) => config.length > 0))(
    '$name: no cut configuration passes silently',
    (stream) => {
      const { codec, config } = stream
      for (let length = 1; length < Math.min(config.length, 4); length++) {
        expect(() => {
          const track = describeTrack({ id: 1, epoch: 0, timescale: 1000, codec, config: config.subarray(0, length) })
          if (track.kind === 'audio' && codec === 'aac') throw new MalformedError('aac', 'two bytes are enough')
        }).toThrow(MalformedError)
      }
    },
  )
})

describe('refineTrack', () => {
  it('makes a new epoch when a VP8 keyframe has another size, and keeps it when it is the first', () => {
    const { packets } = vector('vp8')
    const bare = describeTrack({ id: 1, epoch: 3, timescale: 1000, codec: 'vp8', config: new Uint8Array(0) })
    const known = refineTrack(bare, packets[0].data)
    expect(known).toMatchObject({ epoch: 3, width: 854, height: 478 })
    const other = Buffer.from(packets[0].data)
    other.writeUInt16LE(640, 6)
    other.writeUInt16LE(360 | 0x4000, 8)
    expect(refineTrack(known, other)).toMatchObject({ epoch: 4, width: 640, height: 360 })
  })

  it('makes a vpcC for VP9 that came without, and another for another coding', () => {
    const eight = vector('vp9').packets[0].data
    const ten = vector('vp9-422-10').packets[0].data
    const bare = describeTrack({ id: 1, epoch: 0, timescale: 1000, codec: 'vp9', config: new Uint8Array(0) })
    const known = refineTrack(bare, eight)
    expect(known).toMatchObject({ epoch: 0, width: 854, height: 480 })
    expect(codecString(known)).toBe('vp09.00.30.08')
    expect(refineTrack(known, eight)).toBe(known)
    const other = refineTrack(known, ten)
    expect(other).toMatchObject({ epoch: 1, width: 322, height: 182 })
    expect(codecString(other)).toBe('vp09.03.11.10')
  })

  it('fills an av1C without sequence header from the first keyframe', () => {
    const { config, packets } = vector('av1-aom')
    for (const given of [new Uint8Array(0), config.subarray(0, 4)]) {
      const bare = describeTrack({ id: 1, epoch: 0, timescale: 1000, codec: 'av1', config: given })
      expect(bare).toMatchObject({ width: 0, height: 0 })
      const known = refineTrack(bare, packets[0].data)
      expect(known).toMatchObject({ epoch: 0, width: 854, height: 480 })
      expect(refineTrack(known, packets[0].data)).toBe(known)
      expect(refineTrack(known, vector('av1-svt').packets[0].data)).toMatchObject({
        epoch: 1,
        width: 1918,
        height: 1078,
      })
    }
  })

  it('follows MP3 frames to another rate', () => {
    const known = trackOf('mp3', vector('mp3-stereo'))
    expect(known).toMatchObject({ epoch: 0, sampleRateHz: 44_100, channels: 2 })
    expect(refineTrack(known, vector('mp3-low').packets[0].data)).toMatchObject({ epoch: 1, sampleRateHz: 22_050 })
    expect(refineTrack(known, Buffer.from('garbage'))).toBe(known)
  })

  it('takes PCM as it is told', () => {
    const config = new Uint8Array(0)
    const origin = {
      id: 1,
      epoch: 0,
      timescale: 8000,
      codec: 'pcm-alaw',
      config,
      sampleRateHz: 8000,
      channels: 1,
    } as const
    expect(describeTrack(origin)).toMatchObject({ kind: 'audio', sampleRateHz: 8000, channels: 1 })
  })
})

describe('isKeyframe', () => {
  it('takes every cut of a keyframe calmly, and garbage for none', () => {
    for (const { name, codec, config, packets } of VECTORS) {
      const track = trackOf(codec, vector(name))
      if (track.kind === 'audio') continue
      for (let length = 0; length < Math.min(64, packets[0].data.length); length++) {
        expect(typeof isKeyframe(track, packets[0].data.subarray(0, length))).toBe('boolean')
      }
      expect(isKeyframe(track, Buffer.alloc(0))).toBe(false)
      expect(isKeyframe(track, Buffer.alloc(64, 0xff))).toBe(false)
      expect(isKeyframe({ ...track, config: new Uint8Array(0) }, Buffer.alloc(64, 0xff))).toBe(false)
      expect(config.length >= 0).toBe(true)
    }
  })
})
