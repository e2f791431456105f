import { describe, expect, test } from 'vitest'
import { Mp4Muxer } from '../../../src/container/mp4/muxer.ts'
import { openMp4 } from '../../../src/container/mp4/reader.ts'
import { blocks } from '../../../src/media/block.ts'
import { MisuseError, UnsupportedError } from '../../../src/media/errors.ts'
import { Frame } from '../../../src/media/frame.ts'
import type { AudioTrack, Track, VideoTrack } from '../../../src/media/track.ts'
import { asRead, audio, frame, MemoryFile, readAll, recording, talk, video } from './synthetic.ts'

describe('what goes in comes out', () => {
  test('in fragments and finished: samples, times, order of decoding', async () => {
    const frames = talk(3)
    const { muxer, bytes } = await recording([video, audio])
    for (const next of frames) muxer.write(next)
    muxer.flush()
    expect(await readAll(bytes())).toEqual({ samples: asRead(frames), faults: [] })
    await muxer.finish()
    expect(await readAll(bytes())).toEqual({ samples: asRead(frames), faults: [] })
  })

  test('facts of the whole', async () => {
    const { muxer, bytes } = await recording([{ ...video, label: 'Kamera', language: 'deu' }, audio], {
      title: 'Ein Gespräch',
      creationTimeMs: Date.UTC(2026, 10, 21, 14),
    })
    const named = { ...video, label: 'Kamera', language: 'deu' }
    for (const { track, dts, pts, key, data } of talk(2)) {
      muxer.write(new Frame(track === video ? named : track, dts, pts, key, data))
    }
    muxer.flush()
    const growing = await openMp4(new MemoryFile(bytes()))
    expect(growing).toMatchObject({ finalised: false, statedDurationMs: undefined, title: 'Ein Gespräch' })
    await muxer.finish()
    const reader = await openMp4(new MemoryFile(bytes()))
    expect(reader).toMatchObject({ format: 'mp4', finalised: true, title: 'Ein Gespräch' })
    expect(reader.creationTimeMs).toBe(Date.UTC(2026, 10, 21, 14))
    expect(reader.statedDurationMs).toBeGreaterThanOrEqual(2000)
    expect(reader.statedDurationMs).toBeLessThan(2300)
    expect(reader.tracks).toMatchObject([
      { id: 1, kind: 'video', codec: 'h264', width: 640, height: 360, label: 'Kamera', language: 'deu' },
      { id: 2, kind: 'audio', codec: 'aac', sampleRateHz: 48_000, channels: 2 },
    ])
    expect(reader.tracks[1].label).toBeUndefined()
  })

  test.each([
    ['a start below zero, shown from zero on', [-80, -40, 0, 40], [0, 120, 40, 80]],
    ['frames shown before they are decoded', [0, 40, 80, 120], [0, -30, 70, 100]],
    ['a late start', [5000, 5040, 5080], [5080, 5200, 5120]],
    ['a gap of an hour', [0, 40, 3_600_000, 3_600_040], [0, 40, 3_600_000, 3_600_040]],
    ['one frame only', [1234], [1234]],
    ['past 32 bits', [2 ** 32 - 40, 2 ** 32, 2 ** 32 + 40], [2 ** 32, 2 ** 32 + 80, 2 ** 32 + 40]],
  ])('%s', async (_, dts, pts) => {
    const frames = dts.map((at, i) => frame(video, at, { pts: pts[i], key: i === 0 }))
    const { muxer, bytes } = await recording([video])
    for (const next of frames) muxer.write(next)
    muxer.flush()
    const growing = (await readAll(bytes())).samples
    await muxer.finish()
    const finished = (await readAll(bytes())).samples
    for (const samples of [growing, finished]) {
      expect(samples.map((sample) => sample.pts)).toEqual(pts)
      const steps = samples.map((sample) => sample.dts - samples[0].dts)
      expect(steps).toEqual(dts.map((at) => at - dts[0]))
      for (const sample of samples) expect(sample.dts).toBeLessThanOrEqual(sample.pts)
    }
  })

  const sounds: [string, Pick<AudioTrack, 'codec' | 'config'>, Uint8Array][] = [
    ['mp3', { codec: 'mp3', config: new Uint8Array(0) }, Buffer.from('fffb9464', 'hex')],
    ['ac3', { codec: 'ac3', config: new Uint8Array(0) }, Buffer.from('0b77b3d21440432f', 'hex')],
    ['pcm-s16le', { codec: 'pcm-s16le', config: new Uint8Array(0) }, new Uint8Array(960)],
    ['pcm-alaw', { codec: 'pcm-alaw', config: new Uint8Array(0) }, new Uint8Array(160)],
    ['pcm-mulaw', { codec: 'pcm-mulaw', config: new Uint8Array(0) }, new Uint8Array(160)],
    [
      'opus',
      { codec: 'opus', config: Buffer.from('4f707573486561640102380180bb0000000000', 'hex') },
      new Uint8Array(60),
    ],
  ]
  test.each(sounds)('%s', async (codec, facts, data) => {
    const track: AudioTrack = { ...audio, ...facts }
    const { muxer, bytes } = await recording([track])
    const frames = [0, 960, 1920].map((dts) => new Frame(track, dts, dts, true, data))
    for (const next of frames) muxer.write(next)
    await muxer.finish()
    const reader = await openMp4(new MemoryFile(bytes()))
    expect(reader.tracks).toMatchObject([{ codec, sampleRateHz: 48_000, channels: 2 }])
    expect((await readAll(bytes())).samples).toEqual(asRead(frames))
  })

  test('VP8 says in its first keyframe how large it is', async () => {
    const track: VideoTrack = { ...video, codec: 'vp8', config: new Uint8Array(0), width: 0, height: 0 }
    const { muxer, bytes } = await recording([track])
    const key = Uint8Array.of(0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00, 1, 2, 3)
    muxer.write(new Frame(track, 0, 0, true, key))
    muxer.write(new Frame(track, 40, 40, false, Uint8Array.of(0x11, 2, 0, 1)))
    await muxer.finish()
    const reader = await openMp4(new MemoryFile(bytes()))
    expect(reader.tracks).toMatchObject([{ codec: 'vp8', width: 320, height: 180 }])
  })
})

test('tracks of any clocks keep their distance to the tick, however late they start', async () => {
  const clocks: AudioTrack[] = [44_100, 48_000, 1000].map((timescale, i) => ({ ...audio, id: i + 1, timescale }))
  const { muxer, bytes } = await recording(clocks)
  const frames = clocks.flatMap((track, i) => [0, 1, 2].map((n) => frame(track, 1001 + i * 77 + n * 1024)))
  for (const next of frames) muxer.write(next)
  muxer.flush()
  expect((await readAll(bytes())).samples).toEqual(asRead(frames))
  await muxer.finish()
  expect((await readAll(bytes())).samples).toEqual(asRead(frames))
})

describe('the growing file', () => {
  test('has no header before there is a frame, and nothing is left of a recording without any', async () => {
    const { muxer, bytes } = await recording([video])
    const empty = bytes()
    expect(Buffer.from(empty).toString('latin1')).toMatch(/ftyp.*free/s)
    await muxer.finish()
    expect(bytes()).toEqual(empty)
  })

  test('a fragment is closed every half second, by whichever track gets there first', async () => {
    const { muxer, bytes } = await recording([video, audio])
    for (const next of talk(5)) muxer.write(next)
    const moofs = Buffer.from(bytes()).toString('latin1').split('moof').length - 1
    expect(moofs).toBeGreaterThanOrEqual(8)
    expect(moofs).toBeLessThanOrEqual(11)
  })

  test('what was flushed can be read, after every frame', async () => {
    const frames = talk(1)
    const { muxer, bytes } = await recording([video, audio])
    for (let i = 0; i < frames.length; i++) {
      muxer.write(frames[i])
      muxer.flush()
      expect((await readAll(bytes())).samples).toEqual(asRead(frames.slice(0, i + 1)))
    }
    await muxer.finish()
    expect((await readAll(bytes())).samples).toEqual(asRead(frames))
  })

  test('frames are held while they are gathered, and let go of once written', async () => {
    const { muxer, bytes } = await recording([video])
    const held = Array.from({ length: 30 }, (_, i) => {
      const block = blocks.acquire(100)
      return new Frame(video, i * 40, i * 40, i === 0, block.bytes.subarray(0, 100), block)
    })
    for (const next of held) muxer.write(next)
    expect(held.map(({ block }) => block?.holders)).toContain(2)
    await muxer.finish()
    expect(new Set(held.map(({ block }) => block?.holders))).toEqual(new Set([1]))
    expect((await readAll(bytes())).samples).toHaveLength(30)
  })

  test('what is gathered is bounded, also where time stands still', async () => {
    const { muxer, out } = await recording([video])
    for (let i = 0; i < 20; i++) muxer.write(frame(video, i, { size: 1024 * 1024 }))
    expect(out.position).toBeGreaterThan(15 * 1024 * 1024)
    const { muxer: many, out: file } = await recording([audio])
    for (let i = 0; i < 5000; i++) many.write(frame(audio, i, { size: 1 }))
    expect(file.position).toBeGreaterThan(4000)
  })
})

describe('late tracks and new configurations', () => {
  const larger = Buffer.from(video.config)
  larger[larger.length - 6] ^= 1 // another PPS

  test('a late track is in the header from its first fragment on', async () => {
    const { muxer, bytes } = await recording([video])
    const frames = talk(3)
    const late = frames.filter(({ track, dts }) => track === video || dts >= 48_000)
    for (const next of late) {
      if (next.track === audio && next.dts === Math.ceil(48_000 / 1024) * 1024) {
        expect(muxer.accepts(audio)).toBe(true)
        muxer.add(audio)
      }
      muxer.write(next)
    }
    muxer.flush()
    expect(await readAll(bytes())).toEqual({ samples: asRead(late), faults: [] })
    await muxer.finish()
    expect(await readAll(bytes())).toEqual({ samples: asRead(late), faults: [] })
  })

  test('a track that never sends anything is in no header', async () => {
    const { muxer, bytes } = await recording([video, audio])
    for (const next of talk(1)) if (next.track === video) muxer.write(next)
    muxer.flush()
    expect((await openMp4(new MemoryFile(bytes()))).tracks).toHaveLength(1)
    await muxer.finish()
    expect((await openMp4(new MemoryFile(bytes()))).tracks).toHaveLength(1)
  })

  test('a new picture configuration is a new sample entry, and its keyframes carry it', async () => {
    const next: Track = { ...video, epoch: 1, config: larger }
    const { muxer, bytes } = await recording([video])
    const idr = Uint8Array.of(0, 0, 0, 2, 0x65, 1)
    muxer.write(new Frame(video, 0, 0, true, idr))
    expect(muxer.accepts(next)).toBe(true)
    muxer.add(next)
    muxer.write(new Frame(next, 40, 40, true, idr))
    muxer.write(new Frame(next, 80, 80, false, Uint8Array.of(0, 0, 0, 2, 0x61, 1)))
    await muxer.finish()
    const { samples } = await readAll(bytes())
    expect(samples.map(({ epoch }) => epoch)).toEqual([0, 1, 1])
    expect(samples[0].data).toBe('000000026501')
    expect(samples[1].data).toMatch(/^0000001a67.*000000026501$/)
    expect(samples[2].data).toBe('000000026101')
  })

  test('the same configuration again needs no new entry, however often it comes', async () => {
    const { muxer, bytes } = await recording([video])
    for (let epoch = 0; epoch < 1000; epoch++) {
      const track = { ...video, epoch }
      if (epoch > 0) {
        expect(muxer.accepts(track)).toBe(true)
        muxer.add(track)
      }
      muxer.write(frame(track, epoch * 40))
    }
    await muxer.finish()
    expect((await readAll(bytes())).samples.map(({ epoch }) => epoch)).toEqual(new Array(1000).fill(0))
  })

  test('more sizes than the header has room for stay in one file, told by keyframes alone in the end', async () => {
    const { muxer, bytes } = await recording([video])
    const idr = Uint8Array.of(0, 0, 0, 2, 0x65, 1)
    const sizes = 200
    for (let epoch = 0; epoch < sizes; epoch++) {
      const sets = Buffer.concat([Uint8Array.of(0, 0, 0, 0), larger])
      const config = sets.subarray(4)
      config[config.length - 5] = epoch // the end of the PPS, what a decoder makes of it does not matter here
      const track: Track = { ...video, epoch, config }
      if (epoch > 0) {
        expect(muxer.accepts(track)).toBe(true)
        muxer.add(track)
      }
      muxer.write(new Frame(track, epoch * 40, epoch * 40, true, idr))
      if (epoch % 50 === 0) muxer.flush()
    }
    muxer.flush()
    const growing = await readAll(bytes())
    await muxer.finish()
    const { samples } = await readAll(bytes())
    expect(growing.samples.map(({ data }) => data)).toEqual(samples.map(({ data }) => data))
    const entries = new Set(samples.map(({ epoch }) => epoch)).size
    expect(entries).toBeGreaterThan(10)
    expect(entries).toBeLessThan(100)
    const last = Buffer.from([sizes - 1]).toString('hex')
    expect(samples.at(-1)?.data).toMatch(new RegExp(`${last}000000026501$`))
    expect(samples.map(({ data }) => data.endsWith('000000026501'))).toEqual(Array(sizes).fill(true))
  })

  test('what players could not follow is refused', async () => {
    const { muxer } = await recording([video, audio])
    expect(muxer.accepts({ ...video, epoch: 1, codec: 'hevc' })).toBe(false)
    expect(muxer.accepts({ ...video, epoch: 1, timescale: 90_000 })).toBe(false)
    expect(muxer.accepts({ ...video, epoch: 1, config: Uint8Array.of(1, 2, 3) })).toBe(false)
    expect(muxer.accepts({ ...audio, epoch: 1, config: Uint8Array.of(0x12, 0x10) })).toBe(false)
    expect(muxer.accepts({ ...audio, epoch: 1 })).toBe(true)
    expect(muxer.accepts({ ...audio, id: 3, config: new Uint8Array(0) })).toBe(false)
  })

  test('tracks are taken as long as the header has room, and what was agreed to fits', async () => {
    const { muxer, bytes } = await recording([video])
    for (const next of talk(1)) if (next.track === video) muxer.write(next)
    let taken = 1
    for (let id = 2; id < 100; id++) {
      const track = { ...audio, id, label: `microphone ${id}` }
      if (!muxer.accepts(track)) break
      muxer.add(track)
      for (let i = 0; i < 3; i++) muxer.write(frame(track, 48_000 + i * 1024))
      muxer.flush()
      taken++
    }
    expect(taken).toBeGreaterThan(6)
    expect(taken).toBeLessThan(99)
    expect((await openMp4(new MemoryFile(bytes()))).tracks).toHaveLength(taken)
    await muxer.finish()
    expect((await openMp4(new MemoryFile(bytes()))).tracks).toHaveLength(taken)
  })
})

test('used against its contract', async () => {
  const { muxer, out } = await recording([video])
  expect(() => muxer.start([])).toThrow(MisuseError)
  expect(() => muxer.write(frame(audio, 0))).toThrow(MisuseError)
  expect(() => muxer.write(frame({ ...video, epoch: 3 }, 0))).toThrow(MisuseError)
  expect(() => muxer.add({ ...video, epoch: 1, codec: 'vp8' })).toThrow(MisuseError)
  expect(() => muxer.add({ ...video, id: 9, config: new Uint8Array(0) })).toThrow(UnsupportedError)
  await muxer.finish()
  expect(() => muxer.write(frame(video, 0))).toThrow(MisuseError)
  await expect(muxer.finish()).rejects.toThrow(MisuseError)
  expect(muxer.accepts(video)).toBe(false)
  expect(() => new Mp4Muxer(out).write(frame(video, 0))).toThrow(MisuseError)
})
