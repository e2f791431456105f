import { describe, expect, it } from 'vitest'
import { RtmpDemuxer } from '../../src/ingest/rtmp/demuxer.ts'
import { MalformedError } from '../../src/media/errors.ts'
import { CODED_FRAMES, enhanced, manyTracks, SEQUENCE_END, SEQUENCE_START } from '../peers/enhanced-tags.ts'
import { ASC, AVCC, aac, avc, Collected, IDR, INTER, lent } from './messages.ts'

const VIDEO = 9
const AUDIO = 8

function demuxerWith(maxTracks = 16) {
  const out = new Collected()
  const refused: string[] = []
  const demuxer = new RtmpDemuxer(out, {
    maxTracks,
    onRefused: (kind, trackId, problem) => refused.push(`${kind} ${trackId}: ${problem}`),
  })
  const feed = (type: 8 | 9, timestampMs: number, body: Uint8Array) => {
    const { payload, block } = lent(body)
    try {
      demuxer.media(type, timestampMs, payload, block)
      expect(block.holders).toBe(1)
    } finally {
      block.release()
    }
  }
  return { demuxer, out, refused, feed }
}

describe('RtmpDemuxer, legacy messages', () => {
  it('makes tracks of sequence headers and frames of the rest, times in milliseconds', () => {
    const { out, feed } = demuxerWith()
    feed(VIDEO, 0, avc(AVCC, { key: true, type: 0 }))
    feed(AUDIO, 0, aac(ASC, 0))
    feed(VIDEO, 10, avc(IDR, { key: true, compositionMs: 80 }))
    feed(AUDIO, 12, aac(Uint8Array.of(0x21, 1, 2)))
    feed(VIDEO, 50, avc(INTER, { compositionMs: -40 }))
    expect(out.tracks).toMatchObject([
      { id: 1, epoch: 0, timescale: 1000, codec: 'h264', width: 320, height: 180, frameRate: 25 },
      { id: 2, epoch: 0, timescale: 1000, codec: 'aac', sampleRateHz: 48000, channels: 2 },
    ])
    expect(out.frames).toEqual([
      { id: 1, epoch: 0, dts: 10, pts: 90, key: true, data: Buffer.from(IDR) },
      { id: 2, epoch: 0, dts: 12, pts: 12, key: true, data: Buffer.from([0x21, 1, 2]) },
      { id: 1, epoch: 0, dts: 50, pts: 10, key: false, data: Buffer.from(INTER) },
    ])
  })

  it('takes the same configuration again for nothing new, another one for the next epoch', () => {
    const { out, feed } = demuxerWith()
    const other = Buffer.from(AVCC)
    other[3] = 13 // level
    for (const config of [AVCC, AVCC, other]) {
      feed(VIDEO, 0, avc(config, { key: true, type: 0 }))
      feed(VIDEO, 0, avc(IDR, { key: true }))
    }
    expect(out.tracks.map(({ id, epoch }) => [id, epoch])).toEqual([
      [1, 0],
      [1, 1],
    ])
    expect(out.frames.map(({ epoch }) => epoch)).toEqual([0, 0, 1])
  })

  it('believes the bitstream about keyframes, and the tag only while the bitstream has shown none', () => {
    const { out, feed } = demuxerWith()
    feed(VIDEO, 0, avc(AVCC, { key: true, type: 0 }))
    feed(VIDEO, 0, avc(INTER, { key: true }))
    feed(VIDEO, 40, avc(IDR, { key: false }))
    feed(VIDEO, 80, avc(INTER, { key: true }))
    expect(out.frames.map(({ key }) => key)).toEqual([true, true, false])
  })

  it('drops and counts what nothing can decode: frames before the configuration, empty ones, sequence ends', () => {
    const { demuxer, out, feed } = demuxerWith()
    feed(VIDEO, 0, avc(IDR, { key: true }))
    feed(AUDIO, 0, aac(Uint8Array.of(1, 2, 3)))
    feed(AUDIO, 0, new Uint8Array(0))
    feed(VIDEO, 0, avc(AVCC, { key: true, type: 0 }))
    feed(VIDEO, 0, avc(new Uint8Array(0), { key: true }))
    feed(VIDEO, 0, avc(new Uint8Array(0), { key: true, type: 2 }))
    expect([out.tracks.length, out.frames.length, demuxer.ignored]).toEqual([1, 0, 5])
  })

  it('goes on over the wrap of the 32-bit timestamp, for tracks that begin behind it, too', () => {
    const { out, feed } = demuxerWith()
    feed(VIDEO, 2 ** 32 - 50, avc(AVCC, { key: true, type: 0 }))
    feed(VIDEO, 2 ** 32 - 40, avc(IDR, { key: true }))
    feed(VIDEO, 0, avc(INTER))
    feed(AUDIO, 5, aac(ASC, 0))
    feed(AUDIO, 5, aac(Uint8Array.of(1)))
    feed(VIDEO, 2 ** 32 - 2, avc(INTER))
    expect(out.frames.map(({ dts }) => dts - 2 ** 32)).toEqual([-40, 0, 5, -2])
  })

  it('reads MP3 facts from the first frame, and G.711 facts from the tag', () => {
    const mp3 = demuxerWith()
    const frame = Buffer.alloc(417)
    frame.set([0xff, 0xfb, 0x90, 0x00]) // MPEG-1 layer III, 128 kbit/s, 44.1 kHz, stereo
    mp3.feed(AUDIO, 0, Buffer.concat([Uint8Array.of(0x2f), frame]))
    mp3.feed(AUDIO, 26, Buffer.concat([Uint8Array.of(0x2f), frame]))
    expect(mp3.out.tracks).toMatchObject([{ id: 2, codec: 'mp3', sampleRateHz: 44100, channels: 2 }])
    expect(mp3.out.frames.length).toBe(2)
    const g711 = demuxerWith()
    g711.feed(AUDIO, 0, Uint8Array.of(0x72, 1, 2, 3))
    expect(g711.out.tracks).toMatchObject([{ id: 2, codec: 'pcm-alaw', sampleRateHz: 8000, channels: 1 }])
  })

  it('refuses a codec that cannot be kept once, and keeps the others', () => {
    const { demuxer, out, refused, feed } = demuxerWith()
    feed(AUDIO, 0, Uint8Array.of(0xb2, 1, 2)) // Speex
    feed(AUDIO, 20, Uint8Array.of(0xb2, 1, 2))
    feed(VIDEO, 0, avc(AVCC, { key: true, type: 0 }))
    feed(VIDEO, 0, avc(IDR, { key: true }))
    expect(refused).toEqual(['audio 0: Speex'])
    expect([out.tracks.length, out.frames.length, demuxer.ignored]).toEqual([1, 1, 2])
  })

  it('drops frames after a configuration that cannot be read, until one can', () => {
    const { demuxer, out, feed } = demuxerWith()
    feed(VIDEO, 0, avc(AVCC, { key: true, type: 0 }))
    expect(() => feed(VIDEO, 0, avc(AVCC.subarray(0, 9), { key: true, type: 0 }))).toThrow(MalformedError)
    feed(VIDEO, 0, avc(IDR, { key: true }))
    expect([out.frames.length, demuxer.ignored]).toEqual([0, 1])
    feed(VIDEO, 40, avc(AVCC, { key: true, type: 0 }))
    feed(VIDEO, 40, avc(IDR, { key: true }))
    expect(out.frames).toMatchObject([{ epoch: 1, dts: 40 }])
  })
})

describe('RtmpDemuxer, enhanced messages', () => {
  const video = { kind: 'video', fourCc: 'avc1' } as const
  const audio = { kind: 'audio', fourCc: 'mp4a', packetType: CODED_FRAMES } as const

  it('ticks in microseconds, so that ModEx nanoseconds fit', () => {
    const { out, feed } = demuxerWith()
    feed(VIDEO, 0, enhanced({ ...video, packetType: SEQUENCE_START, data: AVCC }))
    const coded = { ...video, packetType: CODED_FRAMES, data: IDR }
    feed(VIDEO, 33, enhanced({ ...coded, nanos: 333_333, compositionTimeMs: 66 }))
    feed(VIDEO, 66, enhanced({ ...coded, nanos: 999_999, frameType: 2 }))
    expect(out.tracks).toMatchObject([{ id: 1, timescale: 1_000_000, width: 320 }])
    expect(out.frames).toMatchObject([
      { dts: 33_333, pts: 99_333 },
      { dts: 67_000, pts: 67_000 },
    ])
  })

  it('makes each multitrack id a track of its own; 0 is the default one', () => {
    const { out, feed } = demuxerWith()
    const start = { ...video, packetType: SEQUENCE_START, data: AVCC }
    feed(
      VIDEO,
      0,
      manyTracks([
        { ...start, trackId: 0 },
        { ...start, trackId: 7 },
      ]),
    )
    feed(AUDIO, 0, enhanced({ ...audio, packetType: SEQUENCE_START, data: ASC, trackId: 7 }))
    const coded = { ...video, packetType: CODED_FRAMES, data: IDR }
    feed(VIDEO, 40, enhanced(coded))
    feed(VIDEO, 40, enhanced({ ...coded, trackId: 7, compositionTimeMs: 5 }))
    feed(AUDIO, 41, enhanced({ ...audio, data: Uint8Array.of(9, 9), trackId: 7 }))
    expect(out.tracks.map(({ id, kind }) => `${kind} ${id}`)).toEqual(['video 1', 'video 3', 'audio 4'])
    expect(out.frames).toMatchObject([
      { id: 1, dts: 40_000, data: Buffer.from(IDR) },
      { id: 3, dts: 40_000, pts: 45_000, data: Buffer.from(IDR) },
      { id: 4, dts: 41_000, data: Buffer.from([9, 9]) },
    ])
  })

  it('ignores sequence ends and refuses tracks over the limit and unknown codecs', () => {
    const { out, refused, demuxer, feed } = demuxerWith(2)
    feed(VIDEO, 0, enhanced({ ...video, packetType: SEQUENCE_START, data: AVCC }))
    feed(VIDEO, 0, enhanced({ ...video, packetType: SEQUENCE_END, data: new Uint8Array(0) }))
    feed(VIDEO, 0, enhanced({ kind: 'video', fourCc: 'vvc1', packetType: SEQUENCE_START, data: AVCC, trackId: 1 }))
    feed(AUDIO, 0, enhanced({ ...audio, packetType: SEQUENCE_START, data: ASC }))
    feed(AUDIO, 0, enhanced({ ...audio, data: Uint8Array.of(1) }))
    expect(refused).toEqual([
      expect.stringContaining("video 1: video codec 'vvc1'"),
      expect.stringContaining('audio 0'),
    ])
    expect([out.tracks.length, out.frames.length, demuxer.ignored]).toEqual([1, 0, 4])
  })
})
