import { describe, expect, it } from 'vitest'
import { parseAv1C } from '../../../src/codec/av1/av1c.ts'
import { avcParameterSets, parseAvcC } from '../../../src/codec/h264/avcc.ts'
import { hevcParameterSets, parseHvcC } from '../../../src/codec/hevc/hvcc.ts'
import {
  childrenOf,
  type Element,
  elementsOf,
  longSize,
  readFloat,
  readText,
  readUint,
} from '../../../src/container/matroska/ebml.ts'
import * as E from '../../../src/container/matroska/elements.ts'
import { MatroskaMuxer } from '../../../src/container/matroska/muxer.ts'
import { openMatroska } from '../../../src/container/matroska/reader.ts'
import type { Sample } from '../../../src/container/reader.ts'
import { MisuseError, UnsupportedError } from '../../../src/media/errors.ts'
import { Frame } from '../../../src/media/frame.ts'
import type { Track } from '../../../src/media/track.ts'
import { MemoryFile, MemorySink } from './memory-file.ts'
import { audio, interleaved, realConfig, realTrack, video } from './tracks.ts'

async function samplesOf(bytes: Uint8Array): Promise<Sample[]> {
  const samples: Sample[] = []
  for await (const sample of (await openMatroska(new MemoryFile(bytes))).samples()) samples.push(sample)
  return samples
}

/** The Segment's children of a finished file. */
function segmentOf(bytes: Uint8Array): { offset: number; children: Element[] } {
  const [, segment] = elementsOf(bytes, 0, 'file')
  return { offset: segment.dataOffset, children: [...childrenOf(segment, 'segment')] }
}

const find = (elements: Iterable<Element>, id: number): Element => {
  for (const element of elements) if (element.id === id) return element
  throw new Error(`no element ${id.toString(16)}`)
}

async function finished(frames: Iterable<Frame>, tracks: readonly Track[] = [video, audio]): Promise<Uint8Array> {
  const out = new MemorySink()
  const muxer = new MatroskaMuxer(out, { title: 'Täst', creationTimeMs: Date.UTC(2026, 10, 21) })
  muxer.start(tracks)
  for (const frame of frames) muxer.write(frame)
  await muxer.finish()
  return out.bytes()
}

describe('MatroskaMuxer', () => {
  it('gives back every frame as it was, before and after it is finished', async () => {
    const frames = [...interleaved(100)]
    const out = new MemorySink()
    const muxer = new MatroskaMuxer(out)
    muxer.start([video, audio])
    for (const frame of frames) muxer.write(frame)
    const asLeft = out.bytes()
    await muxer.finish()
    for (const bytes of [asLeft, out.bytes()]) {
      const samples = await samplesOf(bytes)
      expect(samples.length).toBe(frames.length)
      samples.forEach((sample, i) => {
        const { pts, key, track, data } = frames[i]
        expect([sample.pts, sample.key, sample.track.id]).toEqual([pts, key, track.id])
        expect(Buffer.compare(bytes.subarray(sample.offset, sample.offset + sample.size), data)).toBe(0)
      })
    }
  })

  it('is a whole file after every single frame', async () => {
    const out = new MemorySink()
    const muxer = new MatroskaMuxer(out)
    muxer.start([video, audio])
    let count = 0
    for (const frame of interleaved(60)) {
      muxer.write(frame)
      const reader = await openMatroska(new MemoryFile(out.bytes()))
      let read = 0
      for await (const _ of reader.samples()) read++
      expect(read).toBe(++count)
      expect(reader.faults).toEqual([])
      expect(reader.finalised).toBe(false)
    }
  })

  it('keeps what the tracks are', async () => {
    const tracks = [
      realTrack(1, 'h264', 'h264-odd'),
      realTrack(2, 'hevc', 'hevc-480p'),
      realTrack(3, 'av1', 'av1-aom'),
      realTrack(4, 'aac', 'aac-51'),
      realTrack(5, 'opus', 'opus-stereo'),
    ].map((track): Track => ({ ...track, label: `track ${track.id}`, language: 'deu' }))
    const reader = await openMatroska(new MemoryFile(await finished([], tracks)))
    expect(reader.faults).toEqual([])
    expect(reader.tracks).toEqual(tracks)
  })

  it('keeps the configuration of VP9 and FLAC in the forms that Matroska has for them', async () => {
    const vp9: Track = { ...realTrack(1, 'vp9', 'vp9-422-10'), kind: 'video', codec: 'vp9', width: 322, height: 182 }
    const flac = realTrack(2, 'flac', 'flac')
    const reader = await openMatroska(new MemoryFile(await finished([], [vp9, flac])))
    expect(reader.faults).toEqual([])
    const [first, second] = reader.tracks
    expect({ ...first, config: vp9.config }).toEqual(vp9)
    // profile, level, bit depth, chroma subsampling; colours are not in the CodecPrivate
    expect([first.config[0], first.config[1], first.config[2] & 0xfe]).toEqual([
      vp9.config[0],
      vp9.config[1],
      vp9.config[2] & 0xfe,
    ])
    expect({ ...second, config: flac.config }).toEqual(flac)
    expect([...second.config.subarray(1)]).toEqual([...flac.config.subarray(1)])
  })

  it('carries codecs that have no configuration', async () => {
    const base = { epoch: 0, timescale: 1000, config: new Uint8Array(0) }
    const tracks: Track[] = [
      { ...base, id: 1, kind: 'video', codec: 'vp8', width: 640, height: 480 },
      { ...base, id: 2, kind: 'audio', codec: 'mp3', sampleRateHz: 44100, channels: 2 },
      { ...base, id: 3, kind: 'audio', codec: 'ac3', sampleRateHz: 48000, channels: 6 },
      { ...base, id: 4, kind: 'audio', codec: 'eac3', sampleRateHz: 48000, channels: 6 },
      { ...base, id: 5, kind: 'audio', codec: 'pcm-s16le', sampleRateHz: 32000, channels: 1 },
      { ...base, id: 6, kind: 'audio', codec: 'pcm-alaw', sampleRateHz: 8000, channels: 1 },
      { ...base, id: 7, kind: 'audio', codec: 'pcm-mulaw', sampleRateHz: 8000, channels: 2 },
    ]
    const reader = await openMatroska(new MemoryFile(await finished([], tracks)))
    expect(reader.tracks).toEqual(tracks)
    expect(reader.faults).toEqual([])
  })

  it('completes its header: duration, title, date, positions and sizes', async () => {
    const bytes = await finished(interleaved(100))
    const { offset, children } = segmentOf(bytes)
    const [header, segment] = elementsOf(bytes, 0, 'file')
    expect(readText(find(childrenOf(header, 'header'), E.DOC_TYPE))).toBe('matroska')
    expect(segment.dataOffset + segment.data.length).toBe(bytes.length)
    const info = [...childrenOf(find(children, E.INFO), 'info')]
    expect(readFloat(find(info, E.DURATION))).toBe(98 * 40 + 120 + 40)
    expect(readText(find(info, E.TITLE))).toBe('Täst')
    const date = Buffer.from(find(info, E.DATE_UTC).data).readBigInt64BE()
    expect(date).toBe(BigInt(Date.UTC(2026, 10, 21) - Date.UTC(2001, 0, 1)) * 1_000_000n)
    for (const seek of childrenOf(find(children, E.SEEK_HEAD), 'seek head')) {
      const fields = [...childrenOf(seek, 'seek')]
      const position = readUint(find(fields, E.SEEK_POSITION))
      const target = children.find((child) => child.offset === offset + position)
      expect(target?.id).toBe(readUint(find(fields, E.SEEK_ID)))
    }
    expect([...childrenOf(find(children, E.SEEK_HEAD), 'seek head')].length).toBe(3)
  })

  it('points to every keyframe of a picture, at its very block', async () => {
    const bytes = await finished(interleaved(100))
    const { offset, children } = segmentOf(bytes)
    const times: number[] = []
    for (const point of childrenOf(find(children, E.CUES), 'cues')) {
      const time = readUint(find(childrenOf(point, 'point'), E.CUE_TIME))
      const fields = [...childrenOf(find(childrenOf(point, 'point'), E.CUE_TRACK_POSITIONS), 'positions')]
      const clusterAt = offset + readUint(find(fields, E.CUE_CLUSTER_POSITION))
      const cluster = children.find((child) => child.offset === clusterAt)
      if (cluster === undefined) throw new Error('a cue that points to no cluster')
      const blockAt = cluster.dataOffset + readUint(find(fields, E.CUE_RELATIVE_POSITION))
      const block = [...childrenOf(cluster, 'cluster')].find((child) => child.offset === blockAt)
      const clusterTime = readUint(find(childrenOf(cluster, 'cluster'), E.TIMESTAMP))
      if (block === undefined) throw new Error('a cue that points to no block')
      const relative = new DataView(block.data.buffer, block.data.byteOffset).getInt16(1)
      expect([block.id, block.data[0], block.data[3]]).toEqual([E.SIMPLE_BLOCK, 0x81, 0x80])
      expect(clusterTime + relative).toBe(time)
      times.push(time)
    }
    expect(times).toEqual([...interleaved(100)].filter((f) => f.key && f.track === video).map(({ pts }) => pts))
  })

  it('begins a cluster at each keyframe and at least every second', async () => {
    const long = [...Array(100).keys()].map((i) => new Frame(video, i * 40, i * 40, i === 0, Uint8Array.of(i)))
    for (const frames of [[...interleaved(200)], long]) {
      const { children } = segmentOf(await finished(frames))
      for (const cluster of children.filter(({ id }) => id === E.CLUSTER)) {
        const blocks = [...childrenOf(cluster, 'cluster')].filter(({ id }) => id === E.SIMPLE_BLOCK)
        blocks.forEach(({ data }, i) => {
          expect(Math.abs(new DataView(data.buffer, data.byteOffset).getInt16(1))).toBeLessThanOrEqual(1000)
          if (i > 0 && data[0] === 0x81) expect(data[3]).toBe(0)
        })
      }
    }
  })

  it('gives sound alone a cue every 5 s', async () => {
    const frames = [...Array(1000).keys()].map((i) => new Frame(audio, i * 20, i * 20, true, Uint8Array.of(i & 0xff)))
    const { children } = segmentOf(await finished(frames, [audio]))
    const cues = [...childrenOf(find(children, E.CUES), 'cues')]
    expect(cues.map((point) => readUint(find(childrenOf(point, 'point'), E.CUE_TIME)))).toEqual([0, 5000, 10000, 15000])
  })

  it('rounds each time by itself, without drift', async () => {
    const fine = { ...video, timescale: 90_000 }
    const frames = [...Array(3000).keys()].map(
      (i) => new Frame(fine, i * 3003, i * 3003, i % 30 === 0, Uint8Array.of(1)),
    )
    const samples = await samplesOf(await finished(frames, [fine]))
    samples.forEach((sample, i) => {
      expect(Math.abs(sample.pts - (i * 3003) / 90)).toBeLessThanOrEqual(0.5)
    })
  })

  it('goes on past 2^32 ms', async () => {
    const start = 2 ** 32 - 500
    const frames = [...Array(50).keys()].map((i) => {
      const ms = start + i * 40
      return new Frame(video, ms, ms, i % 25 === 0, Uint8Array.of(i))
    })
    const samples = await samplesOf(await finished(frames, [video]))
    expect(samples.map(({ pts }) => pts)).toEqual(frames.map(({ pts }) => pts))
  })

  it('survives one track that stalls for minutes and then catches up', async () => {
    const frames: Frame[] = []
    for (let i = 0; i < 5000; i++) frames.push(new Frame(video, i * 40, i * 40, i % 50 === 0, Uint8Array.of(i & 0xff)))
    for (let i = 0; i < 5000; i++) frames.push(new Frame(audio, i * 40, i * 40, true, Uint8Array.of(i & 0xff)))
    for (let i = 5000; i < 5100; i++) frames.push(new Frame(video, i * 40, i * 40, false, Uint8Array.of(i & 0xff)))
    const samples = await samplesOf(await finished(frames))
    expect(samples.map(({ pts }) => pts)).toEqual(frames.map(({ pts }) => pts))
  })

  it('sets the pre-skip of Opus off against its timestamps', async () => {
    const opus = realTrack(1, 'opus', 'opus-stereo', 48_000)
    const bytes = await finished(
      [0, 960, 1920].map((pts) => new Frame(opus, pts, pts, true, Uint8Array.of(9))),
      [opus],
    )
    expect((await samplesOf(bytes)).map(({ pts }) => pts)).toEqual([0, 20, 40])
    const entry = find(childrenOf(find(segmentOf(bytes).children, E.TRACKS), 'tracks'), E.TRACK_ENTRY)
    expect(readUint(find(childrenOf(entry, 'entry'), E.CODEC_DELAY))).toBe(6_500_000)
    expect(readUint(find(childrenOf(entry, 'entry'), E.SEEK_PRE_ROLL))).toBe(80_000_000)
  })

  it('leaves a file without frames valid', async () => {
    const reader = await openMatroska(new MemoryFile(await finished([])))
    expect([reader.tracks.length, reader.statedDurationMs, reader.faults]).toEqual([2, undefined, []])
  })

  it('fills in the size of each cluster as the next one starts', async () => {
    const out = new MemorySink()
    const muxer = new MatroskaMuxer(out)
    muxer.start([video, audio])
    for (const frame of interleaved(21)) muxer.write(frame)
    const bytes = Buffer.from(out.bytes())
    const first = bytes.indexOf(Buffer.of(0x1f, 0x43, 0xb6, 0x75))
    const second = bytes.indexOf(Buffer.of(0x1f, 0x43, 0xb6, 0x75), first + 4)
    expect(bytes.subarray(first + 4, first + 12).equals(longSize(second - first - 12))).toBe(true)
  })
})

describe('tracks that come late', () => {
  it('are written into the reserve while there is room', async () => {
    const out = new MemorySink()
    const muxer = new MatroskaMuxer(out)
    muxer.start([audio])
    muxer.write(new Frame(audio, 0, 0, true, Uint8Array.of(1)))
    expect(muxer.accepts(video)).toBe(true)
    muxer.add(video)
    muxer.write(new Frame(video, 20, 20, true, Uint8Array.of(2)))
    const reader = await openMatroska(new MemoryFile(out.bytes()))
    expect(reader.tracks.map(({ codec }) => codec)).toEqual(['aac', 'h264'])
    const samples = await samplesOf(out.bytes())
    expect(samples.map(({ track }) => track.codec)).toEqual(['aac', 'h264'])
  })

  it('are refused, with the file intact, when the room is used up', async () => {
    const out = new MemorySink()
    const muxer = new MatroskaMuxer(out)
    muxer.start([video])
    let id = 2
    while (muxer.accepts({ ...audio, id })) muxer.add({ ...audio, id: id++ })
    expect(id).toBeGreaterThan(50)
    expect(muxer.accepts(audio)).toBe(true)
    expect(muxer.accepts({ ...video, id: 999 })).toBe(false)
    expect(() => muxer.add({ ...video, id: 999 })).toThrow(MisuseError)
    muxer.write(new Frame(video, 0, 0, true, Uint8Array.of(1)))
    const reader = await openMatroska(new MemoryFile(out.bytes()))
    expect(reader.tracks.length).toBe(id - 1)
    expect(reader.faults).toEqual([])
  })

  it('tell the size of VP8 pictures once a frame has shown it', async () => {
    const vague: Track = {
      id: 1,
      epoch: 0,
      timescale: 1000,
      config: new Uint8Array(0),
      kind: 'video',
      codec: 'vp8',
      width: 0,
      height: 0,
    }
    const out = new MemorySink()
    const muxer = new MatroskaMuxer(out)
    muxer.start([vague])
    muxer.write(new Frame({ ...vague, width: 320, height: 180 }, 0, 0, true, Uint8Array.of(1)))
    muxer.write(new Frame({ ...vague, width: 640, height: 360, epoch: 1 }, 40, 40, true, Uint8Array.of(1)))
    const reader = await openMatroska(new MemoryFile(out.bytes()))
    expect(reader.tracks[0]).toMatchObject({ width: 320, height: 180 })
  })
})

it('states colours as the bitstream does, and brings those of VP9 back', async () => {
  const vp9 = realTrack(1, 'vp9', 'vp9')
  const config = Uint8Array.from(vp9.config)
  config.set([(config[2] & 0xfe) | 1, 9, 16, 9], 2) // full range, BT.2020, PQ
  const track = { ...vp9, config }
  const bytes = await finished([new Frame(track, 0, 0, true, Uint8Array.of(1))], [track])
  const reader = await openMatroska(new MemoryFile(bytes))
  expect(Buffer.from(reader.tracks[0].config)).toEqual(Buffer.from(config))
  const tracks = find(segmentOf(bytes).children, E.TRACKS)
  const entry = find(childrenOf(tracks, 'tracks'), E.TRACK_ENTRY)
  const colour = find(childrenOf(find(childrenOf(entry, 'entry'), E.VIDEO), 'video'), E.COLOUR)
  const codes = [...childrenOf(colour, 'colour')].map((child) => [child.id, readUint(child)])
  expect(codes).toEqual([
    [E.MATRIX_COEFFICIENTS, 9],
    [E.RANGE, 2],
    [E.TRANSFER_CHARACTERISTICS, 16],
    [E.PRIMARIES, 9],
  ])
})

it('rounds the time of sound once, together with what decoders throw away', async () => {
  const opus = realTrack(1, 'opus', 'opus-stereo', 48_000) // pre-skip 6.5 ms
  const times = Array.from({ length: 200 }, (_, i) => i * 961)
  const bytes = await finished(
    times.map((at) => new Frame(opus, at, at, true, Uint8Array.of(1))),
    [opus],
  )
  // The reader counts in whole milliseconds, and so takes 7 off; a player takes 6.5 off.
  const off = (await samplesOf(bytes)).map(({ pts }, i) => Math.abs(pts + 7 - 6.5 - times[i] / 48))
  expect(off).toHaveLength(200)
  expect(Math.max(...off)).toBeLessThanOrEqual(0.5)
})

describe('new epochs', () => {
  const started = (track: Track) => {
    const muxer = new MatroskaMuxer(new MemorySink())
    muxer.start([track])
    return muxer
  }

  it('go on where frames tell all, or nothing has changed', () => {
    const vp9 = realTrack(1, 'vp9', 'vp9')
    expect(started(vp9).accepts({ ...realTrack(1, 'vp9', 'vp9-odd'), epoch: 1 })).toBe(true)
    expect(started(video).accepts({ ...video, epoch: 1 })).toBe(true)
    expect(started(audio).accepts({ ...audio, epoch: 1 })).toBe(true)
  })

  it('need a new file where no keyframe could tell a decoder', () => {
    expect(started(video).accepts({ ...realTrack(1, 'hevc', 'hevc-odd'), epoch: 1 })).toBe(false)
    expect(started(video).accepts({ ...video, epoch: 1, config: Uint8Array.of(9, 9, 9) })).toBe(false)
    expect(started(audio).accepts({ ...realTrack(2, 'aac', 'aac-51'), epoch: 1 })).toBe(false)
  })

  const delimiter = Uint8Array.of(0, 0, 0, 2, 9, 0xf0)
  const slice = Uint8Array.of(0, 0, 0, 2, 0x65, 1)
  it.each([
    ['h264', 'h264-odd', [slice], avcParameterSets(parseAvcC(realConfig('h264-odd')))],
    ['h264', 'h264-odd', [delimiter, slice], avcParameterSets(parseAvcC(realConfig('h264-odd')))],
    ['hevc', 'hevc-odd', [Uint8Array.of(0, 0, 0, 3, 0x26, 1, 0)], hevcParameterSets(parseHvcC(realConfig('hevc-odd')))],
    ['av1', 'av1-10bit', [Uint8Array.of(0x32, 1, 0x10)], parseAv1C(realConfig('av1-10bit')).configObus],
  ] as const)(
    'of %s carry %s in every keyframe from then on, and nothing else changes',
    async (codec, odd, units, sets) => {
      const out = new MemorySink()
      const muxer = new MatroskaMuxer(out)
      const first = realTrack(1, codec, codec === 'av1' ? 'av1-svt' : `${codec}-480p`)
      const epochs = [first, { ...realTrack(1, codec, odd), epoch: 1 }, { ...first, epoch: 2 }]
      const key = Buffer.concat(units)
      const delta = Uint8Array.of(0, 0, 0, 2, 2, 1)
      const write = (track: Track, ms: number) => {
        muxer.write(new Frame(track, ms, ms, true, key))
        muxer.write(new Frame(track, ms + 20, ms + 20, false, delta))
      }
      muxer.start([first])
      write(first, 0)
      for (const [i, track] of epochs.slice(1).entries()) {
        muxer.add(track)
        write(track, 40 + i * 80)
        write(track, 80 + i * 80)
      }
      const own = Buffer.concat([units.length > 1 ? units[0] : new Uint8Array(0), sets, units[units.length - 1]])
      const file = new MemoryFile(out.bytes())
      const reader = await openMatroska(file)
      const found: Buffer[] = []
      for await (const { offset, size } of reader.samples()) found.push(Buffer.from(await file.read(offset, size)))
      expect(found[0]).toEqual(key)
      expect([found[2], found[4]]).toEqual([own, own])
      expect(found[6].length).toBeGreaterThan(key.length) // back to the first one: a decoder has the second in mind
      for (const i of [1, 3, 5, 7]) expect(found[i]).toEqual(Buffer.from(delta))
    },
  )

  it('leave keyframes alone that bring their parameter sets themselves', async () => {
    const out = new MemorySink()
    const muxer = new MatroskaMuxer(out)
    const next = { ...realTrack(1, 'h264', 'h264-odd'), epoch: 1 }
    const data = Buffer.concat([avcParameterSets(parseAvcC(next.config)), slice])
    muxer.start([video])
    muxer.add(next)
    muxer.write(new Frame(next, 0, 0, true, data))
    expect((await samplesOf(out.bytes())).map(({ size }) => size)).toEqual([data.length])
  })
})

describe('misuse', () => {
  it('is refused', async () => {
    const muxer = new MatroskaMuxer(new MemorySink())
    expect(muxer.accepts(video)).toBe(false)
    await expect(muxer.finish()).rejects.toThrow(MisuseError)
    muxer.start([video])
    expect(() => muxer.start([video])).toThrow(MisuseError)
    expect(() => muxer.write(new Frame(audio, 0, 0, true, Uint8Array.of(1)))).toThrow(MisuseError)
    await muxer.finish()
    expect(() => muxer.write(new Frame(video, 0, 0, true, Uint8Array.of(1)))).toThrow(MisuseError)
    expect(muxer.accepts(audio)).toBe(false)
  })

  it('of WebM for other codecs is refused before anything is written', () => {
    const out = new MemorySink()
    expect(() => new MatroskaMuxer(out, { docType: 'webm' }).start([video])).toThrow(UnsupportedError)
    expect(out.position).toBe(0)
    const webm = new MatroskaMuxer(out, { docType: 'webm' })
    webm.start([realTrack(1, 'vp9', 'vp9')])
    expect(webm.accepts(audio)).toBe(false)
    expect(webm.accepts(realTrack(2, 'opus', 'opus-stereo'))).toBe(true)
  })
})
