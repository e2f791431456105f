import { describe, expect, it } from 'vitest'
import { FlvMuxer } from '../../../src/container/flv/muxer.ts'
import { openFlv } from '../../../src/container/flv/reader.ts'
import { LimitError, MisuseError, UnsupportedError } from '../../../src/media/errors.ts'
import { Frame } from '../../../src/media/frame.ts'
import type { AudioTrack, Track } from '../../../src/media/track.ts'
import { MemoryStorage } from '../../../src/storage/memory.ts'
import { fileOf, mux, readFrames, readSamples } from './memory-flv.ts'
import { vector } from './vector.ts'

const h264 = vector('h264-480p', 1)
const aac = vector('aac-stereo', 2)

function pcm(sampleRateHz: number, id = 9): AudioTrack {
  const config = new Uint8Array(0)
  return { id, epoch: 0, timescale: 1000, kind: 'audio', codec: 'pcm-s16le', sampleRateHz, channels: 2, config }
}

/** One second of 30 fps, a keyframe every `gop` frames. */
function video(track: Track, count: number, gop = 10, from = 0): Frame[] {
  return Array.from({ length: count }, (_, i) => {
    const dts = Math.round(((from + i) * track.timescale) / 30)
    return new Frame(track, dts, dts, i % gop === 0, h264.packets[i % gop === 0 ? 0 : 1].data)
  })
}

const facts = (frames: readonly Frame[]) =>
  frames.map(({ track, dts, pts, key, data }) => [
    track.codec,
    track.epoch,
    dts,
    pts,
    key,
    Buffer.from(data).toString('hex'),
  ])

describe('FlvMuxer', () => {
  const names = ['h264-480p', 'hevc-480p', 'av1-svt', 'vp9', 'vp8']
  const sounds = ['aac-stereo', 'opus-stereo', 'mp3-stereo', 'ac3-51', 'eac3-stereo', 'flac']
  for (const name of [...names, ...sounds]) {
    it(`keeps ${name}, as first and as second track of its kind`, async () => {
      const first = vector(name, 1)
      const second = vector(name, 2)
      const frames = first.packets.flatMap(({ key, data }, i) => {
        const offset = ['h264', 'hevc'].includes(first.track.codec) ? [0, 67, -33, 5][i % 4] : 0
        return [
          new Frame(first.track, i * 33, i * 33 + offset, key, data),
          new Frame(second.track, i * 33 + 1, i * 33 + 1 + offset, key, data),
        ]
      })
      const file = await fileOf(await mux([first.track, second.track], frames))
      const read = await readFrames(file)
      expect(read.tracks).toEqual([first.track, second.track])
      expect(facts(read.frames)).toEqual(facts(frames))
      expect((await openFlv(file)).faults).toEqual([])
    })
  }

  it('is readable up to the last frame after every write, and finalised at the end', async () => {
    const frames = video(h264.track, 25)
    const storage = new MemoryStorage()
    const out = await storage.create('a.flv')
    const muxer = new FlvMuxer(out, { title: 'A title', creationTimeMs: 0 })
    muxer.start([h264.track, aac.track])
    for (const [i, frame] of frames.entries()) {
      muxer.write(frame)
      out.commit()
      const reader = await openFlv(await storage.open('a.flv'))
      expect(await readSamples(await storage.open('a.flv'))).toHaveLength(i + 1)
      expect(reader.faults).toEqual([])
      expect(reader.finalised).toBe(false)
      expect(reader.statedDurationMs).toBeUndefined()
    }
    await muxer.finish()
    await out.close()
    const reader = await openFlv(await storage.open('a.flv'))
    expect(reader.finalised).toBe(true)
    expect(reader.title).toBe('A title')
    expect(reader.statedDurationMs).toBe(833)
    expect(reader.tracks).toEqual([h264.track, aac.track])
    expect(reader.metadata?.members).toMatchObject({ width: 854, height: 480, videocodecid: 7, audiocodecid: 10 })
    expect(reader.metadata?.members).toMatchObject({ lasttimestamp: 0.8, lastkeyframetimestamp: 0.667 })
  })

  it('puts every keyframe into the index, at its tag', async () => {
    const bytes = await mux([h264.track], video(h264.track, 100))
    const { metadata } = await openFlv(await fileOf(bytes))
    const { times, filepositions } = Object(metadata?.members.keyframes)
    expect(times).toEqual([0, 0.333, 0.667, 1, 1.333, 1.667, 2, 2.333, 2.667, 3])
    for (const position of filepositions) expect([bytes[position], bytes[position + 11]]).toEqual([9, 0x17])
  })

  it('thins the index of a long file evenly', async () => {
    const track = { ...h264.track, timescale: 1000 }
    const frames = Array.from(
      { length: 20_000 },
      (_, i) => new Frame(track, i * 1000, i * 1000, true, Uint8Array.of(0)),
    )
    const bytes = await mux([track], frames)
    const { metadata } = await openFlv(await fileOf(bytes))
    const { times, filepositions } = Object(metadata?.members.keyframes)
    expect(times).toEqual(Array.from({ length: 2500 }, (_, i) => i * 8))
    expect(filepositions).toHaveLength(2500)
    expect(metadata?.members.duration).toBe(20_000)
  })

  it('rounds times from the start of the file, not from frame to frame', async () => {
    const track = vector('h264-480p', 1, 90_000).track
    const frames = Array.from(
      { length: 3000 },
      (_, i) => new Frame(track, i * 3003, i * 3003 + 6006, i === 0, Uint8Array.of(1)),
    )
    const samples = await readSamples(await fileOf(await mux([track], frames)))
    for (const [i, sample] of samples.entries()) {
      expect(Math.abs(sample.dts - (i * 3003) / 90)).toBeLessThanOrEqual(0.5)
      expect(Math.abs(sample.pts - (i * 3003 + 6006) / 90)).toBeLessThanOrEqual(0.5)
    }
  })

  it('goes past 2^32 ms', async () => {
    const times = [2 ** 31 - 40, 2 ** 31 + 5, 2 ** 32 - 20, 2 ** 32 + 13, 2 ** 32 + 46]
    const frames = times.map((dts, i) => new Frame(h264.track, dts, dts, i === 0, h264.packets[0].data))
    const samples = await readSamples(await fileOf(await mux([h264.track], frames)))
    expect(samples.map(({ dts }) => dts)).toEqual(times)
  })

  it('takes a late track and a new configuration in, each with its first frame', async () => {
    const bigger: Track = { ...vector('h264-odd', 1).track, epoch: 1 }
    const frames = [
      ...video(h264.track, 3),
      new Frame(aac.track, 100, 100, true, aac.packets[0].data),
      ...video(bigger, 3, 10, 3),
    ]
    const bytes = await mux([h264.track], frames)
    expect(bytes[4]).toBe(5)
    const file = await fileOf(bytes)
    const read = await readFrames(file)
    expect(facts(read.frames)).toEqual(facts(frames))
    expect(read.frames[4].track).toEqual(bigger)
    const { metadata } = await openFlv(file)
    expect(metadata?.members).toMatchObject({ hasAudio: true, audiocodecid: 10 })
    const { filepositions } = Object(metadata?.members.keyframes)
    // After a new configuration the index leads to the configuration, or a seek would miss it.
    expect(filepositions.map((at: number) => [...bytes.subarray(at + 11, at + 13)])).toEqual([
      [0x17, 1],
      [0x17, 0],
    ])
  })

  it('says in the metadata what every track is', async () => {
    const label = { label: 'Screen', language: 'deu' }
    const second: Track = { ...vector('hevc-480p', 3).track, ...label }
    const { metadata } = await openFlv(await fileOf(await mux([h264.track, aac.track, second], video(h264.track, 2))))
    expect(metadata?.members.videoTrackIdInfoMap).toMatchObject({
      1: { videocodecid: 0x68766331, width: 854, height: 480, videolabel: 'Screen', videolanguage: 'deu' },
    })
  })

  it('refuses what FLV cannot hold', async () => {
    const muxer = new FlvMuxer(await new MemoryStorage().create('a.flv'))
    expect(() => muxer.start([pcm(48_000)])).toThrow(UnsupportedError)
    const other = new FlvMuxer(await new MemoryStorage().create('b.flv'))
    other.start([h264.track, pcm(44_100)])
    expect(other.accepts(pcm(44_100, 10))).toBe(false)
    expect(other.accepts({ ...aac.track, id: 10 })).toBe(true)
    expect(other.accepts({ ...h264.track, epoch: 1 })).toBe(true)
    expect(other.accepts({ ...vector('vp9', 1).track, epoch: 1 })).toBe(false)
    expect(() => other.add({ ...vector('vp9', 1).track, epoch: 1 })).toThrow(MisuseError)
  })

  it('refuses frames of tracks unknown, frames too large, and frames after the end', async () => {
    const out = await new MemoryStorage().create('a.flv')
    const muxer = new FlvMuxer(out)
    muxer.start([h264.track])
    expect(() => muxer.write(new Frame(aac.track, 0, 0, true, new Uint8Array(1)))).toThrow(MisuseError)
    expect(() => muxer.write(new Frame({ ...h264.track, epoch: 1 }, 0, 0, true, new Uint8Array(1)))).toThrow(
      MisuseError,
    )
    const before = out.position
    expect(() => muxer.write(new Frame(h264.track, 0, 0, true, new Uint8Array(2 ** 24)))).toThrow(LimitError)
    expect(out.position).toBe(before)
    await muxer.finish()
    await muxer.finish()
    expect(() => muxer.write(new Frame(h264.track, 0, 0, true, new Uint8Array(1)))).toThrow(MisuseError)
  })

  it('hands the data on with its block, uncopied', () => {
    const seen: unknown[] = []
    const muxer = new FlvMuxer({
      position: 0,
      write: (bytes, block) => seen.push(bytes, block),
      patch: () => {},
      sync: () => {},
      drain: async () => {},
    })
    muxer.start([h264.track])
    seen.length = 0
    const [frame] = video(h264.track, 1)
    muxer.write(frame)
    expect(seen[2]).toBe(frame.data)
    expect(seen[3]).toBe(frame.block)
  })
})
