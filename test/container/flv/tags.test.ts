import { describe, expect, it } from 'vitest'
import { attack } from '../../../fuzz/attack.ts'
import { target } from '../../../fuzz/flv-tags.ts'
import { AudioTag, audioTagHolds, writeAudioHeader } from '../../../src/container/flv/audio-tag.ts'
import { configOf, configPayload, MAX_BODY_HEADER_BYTES } from '../../../src/container/flv/sequence-header.ts'
import { VideoTag, writeVideoHeader } from '../../../src/container/flv/video-tag.ts'
import { LimitError, MalformedError } from '../../../src/media/errors.ts'
import type { AudioCodec, AudioTrack, VideoCodec } from '../../../src/media/track.ts'

const ascii = (text: string) => [...Buffer.from(text)]
const body = (...parts: number[]) => Uint8Array.from(parts)

function audioTrack(codec: AudioCodec, sampleRateHz = 48000, channels = 2): AudioTrack {
  return { id: 1, epoch: 0, timescale: 1000, kind: 'audio', codec, sampleRateHz, channels, config: new Uint8Array(0) }
}

function video(bytes: Uint8Array) {
  const tag = new VideoTag()
  return tag.packets.slice(0, tag.parse(bytes)).map((packet) => ({ ...packet }))
}

function audio(bytes: Uint8Array) {
  const tag = new AudioTag()
  return tag.packets.slice(0, tag.parse(bytes)).map((packet) => ({ ...packet }))
}

describe('video tag bodies', () => {
  const codecs: VideoCodec[] = ['h264', 'hevc', 'av1', 'vp9', 'vp8']
  for (const codec of codecs) {
    for (const trackId of [0, 1, 255]) {
      for (const kind of ['config', 'frame', 'end'] as const) {
        for (const compositionTimeMs of [0, 66, -40]) {
          it(`reads the ${kind} header it writes: ${codec}, track ${trackId}, composition ${compositionTimeMs}`, () => {
            const into = new Uint8Array(MAX_BODY_HEADER_BYTES + 3)
            const start = writeVideoHeader(into, 0, codec, kind, trackId, true, compositionTimeMs)
            expect(start).toBeLessThanOrEqual(MAX_BODY_HEADER_BYTES)
            const composed = kind === 'frame' && (codec === 'h264' || codec === 'hevc')
            const expected = { kind, codec, trackId, key: true, start, end: start + 3 }
            const [packet] = video(into.subarray(0, start + 3))
            expect(packet).toMatchObject({ ...expected, compositionTimeMs: composed ? compositionTimeMs : 0 })
          })
        }
      }
    }
  }

  it('reads legacy AVC byte by byte as the spec has it', () => {
    expect(video(body(0x27, 1, 0xff, 0xff, 0xd8, 9))).toMatchObject([
      { kind: 'frame', codec: 'h264', key: false, compositionTimeMs: -40, start: 5, end: 6 },
    ])
    expect(video(body(0x17, 0, 0, 0, 0, 1, 2))).toMatchObject([{ kind: 'config', key: true, start: 5, end: 7 }])
    expect(video(body(0x17, 2))).toMatchObject([{ kind: 'end' }])
    expect(video(body(0x1c, 1, 0, 0, 0, 1))).toMatchObject([{ kind: 'frame', codec: 'hevc' }])
  })

  it('names what it cannot carry', () => {
    expect(video(body(0x12, 0))).toMatchObject([{ kind: 'unsupported', problem: 'Sorenson H.263' }])
    expect(video(body(0x14, 0))[0].problem).toBe('On2 VP6')
    expect(video(body(0x1d, 0))[0].problem).toContain('13')
    expect(video(body(0x90, ...ascii('vvc1'), 0))[0].problem).toContain('vvc1')
    expect(video(body(0x95, ...ascii('av01'), 0))[0].problem).toContain('MPEG-2 TS')
  })

  it('reads metadata, and passes over commands and what nobody defined', () => {
    expect(video(body(0xd4, ...ascii('hvc1'), 2, 0, 1))).toMatchObject([{ kind: 'metadata', start: 5, end: 8 }])
    expect(video(body(0xd0, 0))).toEqual([])
    expect(video(body(0x57, 0))).toEqual([])
    expect(video(body())).toEqual([])
    expect(video(body(0x17, 9, 0, 0, 0))).toEqual([])
    expect(video(body(0x9f, ...ascii('hvc1')))).toEqual([])
  })

  it('reads many tracks with a codec each, one of them unknown', () => {
    const bytes = body(0x96, 0x21, ...ascii('avc1'), 0, 0, 0, 4, 0, 0, 5, 9, ...ascii('vvc1'), 1, 0, 0, 1, 9)
    expect(video(body(...bytes, ...ascii('vp09'), 7, 0, 0, 2, 8, 8))).toMatchObject([
      { kind: 'frame', codec: 'h264', trackId: 0, compositionTimeMs: 5, start: 13, end: 14 },
      { kind: 'unsupported', trackId: 1 },
      { kind: 'frame', codec: 'vp9', trackId: 7, start: 31, end: 33 },
    ])
  })

  it('adds up ModEx packets', () => {
    const modEx = body(0x97, 2, 0x01, 0xe2, 0x40, 0x07, 0, 0, 0xf7, 255, 0, 2, 1, 1, 1, 0xf3, ...ascii('hvc1'), 1)
    expect(video(modEx)).toMatchObject([{ kind: 'frame', timestampOffsetNs: 123456, start: 20, end: 21 }])
    expect(() => video(body(0x97, 1, 0, 0, 0x03, ...ascii('hvc1')))).toThrow(MalformedError)
  })

  it('forgets the offset and the key of the body before', () => {
    const tag = new VideoTag()
    tag.parse(body(0x97, 2, 0, 0, 9, 0x03, ...ascii('hvc1'), 1))
    tag.parse(body(0xa3, ...ascii('hvc1'), 1))
    expect(tag.packets[0]).toMatchObject({ timestampOffsetNs: 0, key: false })
    tag.parse(body(0x97, 2, 0, 0, 9, 0x03, ...ascii('hvc1'), 1))
    tag.parse(body(0x27, 1, 0, 0, 0, 1))
    expect(tag.packets[0]).toMatchObject({ timestampOffsetNs: 0, key: false })
  })

  it('refuses bodies cut within their headers, and more tracks than there are ids', () => {
    for (const bytes of [body(0x17), body(0x17, 1, 0, 0), body(0x90, 1, 2), body(0x91, ...ascii('avc1'), 0, 0)]) {
      expect(() => video(bytes)).toThrow(MalformedError)
    }
    expect(() => video(body(0x96, 0x11, ...ascii('avc1'), 0, 0, 0, 9, 1))).toThrow(MalformedError)
    expect(() => video(body(0x96, 0x06, ...ascii('avc1'), 0, 1))).toThrow(/multitrack in multitrack/)
    expect(() => video(body(0x96, 0x13, ...ascii('avc1'), ...Array<number>(257 * 4).fill(0)))).toThrow(LimitError)
  })
})

describe('audio tag bodies', () => {
  const codecs: AudioCodec[] = ['aac', 'opus', 'mp3', 'ac3', 'eac3', 'flac']
  for (const codec of codecs) {
    for (const trackId of [0, 9]) {
      it(`reads the headers it writes: ${codec}, track ${trackId}`, () => {
        const into = new Uint8Array(MAX_BODY_HEADER_BYTES + 3)
        const start = writeAudioHeader(into, 0, audioTrack(codec), 'frame', trackId)
        const [frame] = audio(into.subarray(0, start + 3))
        expect(frame).toMatchObject({ kind: 'frame', codec, trackId, start, end: start + 3 })
        if (codec === 'mp3') return
        const end = writeAudioHeader(into, 0, audioTrack(codec), 'config', trackId)
        expect(audio(into.subarray(0, end))).toMatchObject([{ kind: 'config', codec, trackId, start: end, end }])
      })
    }
  }

  it('reads and writes the rates of legacy formats', () => {
    const roundTrip = (track: AudioTrack) => {
      const into = new Uint8Array(4)
      return audio(into.subarray(0, writeAudioHeader(into, 0, track, 'frame', 0)))[0]
    }
    expect(roundTrip(audioTrack('mp3', 44100))).toMatchObject({ codec: 'mp3', sampleRateHz: 44100, channels: 2 })
    expect(roundTrip(audioTrack('mp3', 8000, 1))).toMatchObject({ codec: 'mp3', sampleRateHz: 8000, channels: 1 })
    expect(roundTrip(audioTrack('pcm-s16le', 11025))).toMatchObject({ codec: 'pcm-s16le', sampleRateHz: 11025 })
    expect(roundTrip(audioTrack('pcm-alaw', 8000, 1))).toMatchObject({ codec: 'pcm-alaw', sampleRateHz: 8000 })
    expect(roundTrip(audioTrack('pcm-mulaw', 8000, 1))).toMatchObject({ codec: 'pcm-mulaw', sampleRateHz: 8000 })
  })

  it('knows what it can carry', () => {
    expect(audioTagHolds(audioTrack('pcm-s16le', 48000), 0)).toBe(false)
    expect(audioTagHolds(audioTrack('pcm-s16le', 44100), 0)).toBe(true)
    expect(audioTagHolds(audioTrack('pcm-s16le', 44100), 1)).toBe(false)
    expect(audioTagHolds(audioTrack('pcm-mulaw', 8000, 1), 0)).toBe(true)
    expect(audioTagHolds(audioTrack('opus'), 3)).toBe(true)
  })

  it('names what it cannot carry', () => {
    expect(audio(body(0xb2, 0))).toMatchObject([{ kind: 'unsupported', problem: 'Speex' }])
    expect(audio(body(0x62, 0))[0].problem).toBe('Nellymoser')
    expect(audio(body(0x3c, 0))[0].problem).toBe('8-bit PCM')
    expect(audio(body(0x91, ...ascii('abc\n'), 0))[0].problem).toContain("'abc.'")
  })

  it('reads ends, speaker layouts, multitrack and silence', () => {
    expect(audio(body(0x92, ...ascii('Opus')))).toMatchObject([{ kind: 'end', codec: 'opus' }])
    expect(audio(body(0x94, ...ascii('Opus'), 1, 2, 0, 0, 0, 3))).toMatchObject([{ kind: 'channels', start: 5 }])
    expect(audio(body(0x95, 0x11, ...ascii('ac-3'), 0, 0, 0, 1, 9, 4, 0, 0, 0))).toMatchObject([
      { kind: 'frame', codec: 'ac3', trackId: 0, start: 10, end: 11 },
      { kind: 'frame', codec: 'ac3', trackId: 4, start: 15, end: 15 },
    ])
    expect(audio(body())).toEqual([])
    expect(() => audio(body(0xaf))).toThrow(MalformedError)
  })
})

describe('sequence headers', () => {
  const track = audioTrack('flac')
  const block = body(0x80, 0, 0, 34, ...Array<number>(34).fill(7))

  it('signs FLAC, and reads it with and without signature and block header', () => {
    expect(configPayload({ ...track, config: block })).toEqual(Buffer.from([...ascii('fLaC'), ...block]))
    expect([...configOf('flac', body(...ascii('fLaC'), ...block))]).toEqual([...block])
    expect(configOf('flac', block)).toBe(block)
    expect([...configOf('flac', block.subarray(4))]).toEqual([...block])
  })

  it('takes a FullBox header off VP9', () => {
    const record = body(0, 31, 0x82, 1, 1, 1, 0, 0)
    expect(configOf('vp9', record)).toBe(record)
    expect([...configOf('vp9', body(1, 0, 0, 0, ...record))]).toEqual([...record])
  })

  it('stands in for an empty Opus header; has none for MP3', () => {
    expect(configOf('opus', body()).length).toBe(19)
    expect(configPayload(audioTrack('mp3'))).toBeUndefined()
    expect(configOf('vp8', body(1, 2)).length).toBe(0)
  })
})

it('throws nothing but its own errors at mutated input', async () => {
  expect((await attack(target, 5000, 1)).finding).toBeUndefined()
})
