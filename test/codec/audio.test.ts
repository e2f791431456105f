import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dac3FromFrame, parseAc3Header, parseDac3, writeDac3 } from '../../src/codec/ac3.ts'
import { BitWriter } from '../../src/codec/bit-writer.ts'
import { parseDec3, substreamChannels, writeDec3 } from '../../src/codec/dec3.ts'
import { dec3FromFrame, parseEac3Packet } from '../../src/codec/eac3.ts'
import {
  flacConfig,
  flacHeaderWithMarker,
  parseFlacFrameHeader,
  parseFlacStreamInfo,
  writeFlacStreamInfo,
} from '../../src/codec/flac.ts'
import { parseMp3Header } from '../../src/codec/mp3.ts'
import { opusPacketSamples, parseDOps, parseOpusHead, writeDOps, writeOpusHead } from '../../src/codec/opus.ts'
import { MalformedError } from '../../src/media/errors.ts'
import { VECTORS, vector } from './vectors.ts'

const int = (min: number, max: number) => fc.integer({ min, max })
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('OpusHead', () => {
  it.each(VECTORS.filter(({ codec }) => codec === 'opus'))('$name: comes out as it went in', ({ config }) => {
    const head = parseOpusHead(config)
    expect(Buffer.from(writeOpusHead(head))).toEqual(config)
    expect(Buffer.from(writeOpusHead(parseDOps(writeDOps(head))))).toEqual(config)
  })

  it('keeps every field, in both byte orders', () => {
    const fields = { preSkip: int(0, 65_535), inputSampleRateHz: int(0, 2 ** 32 - 1), outputGain: int(-32_768, 32_767) }
    const simple = fc.record({ ...fields, channels: int(1, 2), mappingFamily: fc.constant(0) })
    const mapped = int(1, 8).chain((channels) =>
      fc.record({
        ...fields,
        channels: fc.constant(channels),
        mappingFamily: fc.constantFrom(1, 2, 255),
        mapping: fc.record({
          streams: fc.constant(channels),
          coupled: int(0, channels),
          table: fc.uint8Array({ minLength: channels, maxLength: channels }),
        }),
      }),
    )
    fc.assert(
      fc.property(fc.oneof(simple, mapped), (head) => {
        expect(parseOpusHead(writeOpusHead(head))).toEqual(head)
        expect(parseDOps(writeDOps(head))).toEqual(head)
      }),
    )
  })

  it('is refused when it cannot be meant', () => {
    const good = vector('opus-51').config
    for (let length = 0; length < good.length; length++) {
      expect(() => parseOpusHead(good.subarray(0, length))).toThrow(MalformedError)
    }
    const bad = (at: number, value: number) => {
      const bytes = Buffer.from(good)
      bytes[at] = value
      return bytes
    }
    for (const [at, value] of [
      [0, 0],
      [8, 16],
      [9, 0],
      [18, 0],
      [19, 0],
      [20, 200],
    ]) {
      expect(() => parseOpusHead(bad(at, value))).toThrow(MalformedError)
    }
    expect(() => parseDOps(hex('01'))).toThrow(MalformedError)
  })
})

describe('Opus packets', () => {
  it.each([
    ['SILK 10 ms', '00', 480],
    ['SILK 60 ms', '18', 2880],
    ['hybrid 20 ms twice', '69', 1920],
    ['CELT 2.5 ms', '80', 120],
    ['CELT 20 ms', 'fc', 960],
    ['CELT 20 ms, six of them', 'fb06', 5760],
  ])('%s', (_, bytes, samples) => {
    expect(opusPacketSamples(hex(bytes))).toBe(samples)
  })

  it('that cannot be are told', () => {
    for (const bytes of ['', 'fb', 'fb00', 'fb07', '1b03']) expect(opusPacketSamples(hex(bytes))).toBeUndefined()
  })
})

describe('MP3 frames', () => {
  it.each([
    [
      'MPEG-1 layer III',
      'fffb9064',
      {
        version: 1,
        layer: 3,
        sampleRateHz: 44_100,
        bitrateKbps: 128,
        frameBytes: 417,
        frameSamples: 1152,
        channels: 2,
      },
    ],
    [
      'padded',
      'fffb9264',
      {
        version: 1,
        layer: 3,
        sampleRateHz: 44_100,
        bitrateKbps: 128,
        frameBytes: 418,
        frameSamples: 1152,
        channels: 2,
      },
    ],
    [
      'MPEG-2 layer III, mono',
      'fff384c4',
      { version: 2, layer: 3, sampleRateHz: 24_000, bitrateKbps: 64, frameBytes: 192, frameSamples: 576, channels: 1 },
    ],
    [
      'MPEG-2.5 layer III',
      'ffe318c4',
      { version: 2.5, layer: 3, sampleRateHz: 8000, bitrateKbps: 8, frameBytes: 72, frameSamples: 576, channels: 1 },
    ],
    [
      'layer II',
      'fffda404',
      {
        version: 1,
        layer: 2,
        sampleRateHz: 48_000,
        bitrateKbps: 192,
        frameBytes: 576,
        frameSamples: 1152,
        channels: 2,
      },
    ],
    [
      'layer I',
      'ffff8800',
      { version: 1, layer: 1, sampleRateHz: 32_000, bitrateKbps: 256, frameBytes: 384, frameSamples: 384, channels: 2 },
    ],
  ])('%s', (_, bytes, header) => {
    expect(parseMp3Header(hex(bytes))).toEqual(header)
  })

  it('are as long as their headers say', () => {
    for (const name of ['mp3-stereo', 'mp3-low']) {
      for (const { data } of vector(name).packets) expect(parseMp3Header(data).frameBytes).toBe(data.length)
    }
  })

  it.each(['', 'fffb90', 'fef b9064', 'ffeb9064', 'fff99064', 'fffbf064', 'fffb0064', 'fffb9c64'])(
    'not %s',
    (bytes) => {
      expect(() => parseMp3Header(hex(bytes))).toThrow(MalformedError)
    },
  )
})

describe('AC-3', () => {
  it('frames are as long as their headers say, and dac3 describes them', () => {
    for (const name of ['ac3-51', 'ac3-441']) {
      for (const { data } of vector(name).packets) expect(parseAc3Header(data).frameBytes).toBe(data.length)
    }
    expect(parseDac3(dac3FromFrame(vector('ac3-51').packets[0].data))).toEqual({
      rateCode: 0,
      bsid: 8,
      bsmod: 0,
      acmod: 7,
      lfe: true,
      bitrateCode: 11, // 224 kbit/s
    })
  })

  it('dac3 keeps every field', () => {
    const dac3 = fc.record({
      rateCode: int(0, 2),
      bsid: int(0, 31),
      bsmod: int(0, 7),
      acmod: int(0, 7),
      lfe: fc.boolean(),
      bitrateCode: int(0, 31),
    })
    fc.assert(
      fc.property(dac3, (each) => {
        expect(parseDac3(writeDac3(each))).toEqual(each)
      }),
    )
  })

  it('is not what has reserved codes', () => {
    const good = vector('ac3-51').packets[0].data
    const bad = (at: number, value: number) => Buffer.from(good.map((byte, i) => (i === at ? value : byte)))
    for (const [at, value] of [
      [0, 0],
      [4, 0xc0],
      [4, 0x3f],
      [5, 0x60],
    ]) {
      expect(() => parseAc3Header(bad(at, value))).toThrow(MalformedError)
    }
    expect(() => parseAc3Header(good.subarray(0, 5))).toThrow(MalformedError)
  })
})

/** An E-AC-3 frame of `bytes` length, no sound in it. */
function eac3Frame(options: {
  type: number
  id: number
  bytes: number
  blocks: number
  acmod: number
  lfe: boolean
  map?: number
}) {
  const { type, id, bytes, blocks, acmod, lfe, map } = options
  const bits = new BitWriter()
    .put(0x0b77, 16)
    .put(type, 2)
    .put(id, 3)
    .put(bytes / 2 - 1, 11)
    .put(0, 2)
    .put(blocks, 2)
  bits.put(acmod, 3).flag(lfe).put(16, 5).put(31, 5).flag(true).put(0, 8)
  if (type === 1) bits.flag(map !== undefined)
  if (map !== undefined) bits.put(map, 16)
  return Buffer.concat([bits.done()], bytes)
}

describe('E-AC-3', () => {
  it('packets are described by dec3 as ffmpeg does', () => {
    const packet = parseEac3Packet(vector('eac3-51').packets[0].data)
    expect(packet).toMatchObject({ sampleRateHz: 44_100, channels: 6, samples: 1536 })
    expect(parseDec3(dec3FromFrame(vector('eac3-51').packets[0].data))).toMatchObject({
      dataRateKbps: 192,
      substreams: [{ rateCode: 1, bsid: 16, acmod: 7, lfe: true, dependents: 0 }],
    })
  })

  it('add up six frames of one block, and the channels of dependent substreams', () => {
    const main = { type: 0, id: 0, bytes: 128, blocks: 0, acmod: 7, lfe: true }
    const rear = { type: 1, id: 0, bytes: 64, blocks: 0, acmod: 6, lfe: false, map: 0x1a00 } // Ls, Rs, Lrs/Rrs
    const packet = Buffer.concat(Array.from({ length: 6 }, () => [eac3Frame(main), eac3Frame(rear)]).flat())
    const parsed = parseEac3Packet(packet)
    expect(parsed).toMatchObject({ samples: 1536, channels: 8 })
    expect(parsed.dec3.substreams).toMatchObject([{ dependents: 1, locations: 0b10 }])
    expect(Buffer.from(dec3FromFrame(packet)).toString('hex')).toBe('0900200f0202') // 288 kbit/s
  })

  it('keep two programs and their dependents apart', () => {
    const main = { type: 0, id: 0, bytes: 128, blocks: 2, acmod: 7, lfe: true }
    const rear = { type: 1, id: 0, bytes: 64, blocks: 2, acmod: 6, lfe: false, map: 0x1a00 }
    const second = { type: 0, id: 1, bytes: 64, blocks: 2, acmod: 2, lfe: false }
    const slice = [eac3Frame(main), eac3Frame(rear), eac3Frame(second)]
    const parsed = parseEac3Packet(Buffer.concat([...slice, ...slice]))
    expect(parsed).toMatchObject({ samples: 1536, channels: 8 })
    expect(parsed.dec3.substreams).toMatchObject([
      { dependents: 1, locations: 2 },
      { dependents: 0, acmod: 2 },
    ])
  })

  it('of half rate have six blocks', () => {
    const frame = eac3Frame({ type: 0, id: 0, bytes: 64, blocks: 0, acmod: 2, lfe: false })
    frame[4] |= 0xc0
    expect(parseEac3Packet(frame)).toMatchObject({ sampleRateHz: 24_000, samples: 1536, channels: 2 })
  })

  it('dec3 keeps every field', () => {
    const substream = fc
      .record({
        rateCode: int(0, 3),
        bsid: int(0, 31),
        asvc: fc.boolean(),
        bsmod: int(0, 7),
        acmod: int(0, 7),
        lfe: fc.boolean(),
        dependents: int(0, 15),
        locations: int(0, 511),
      })
      .map((each) => ({ ...each, locations: each.dependents > 0 ? each.locations : 0 }))
    const dec3 = fc.record({
      dataRateKbps: int(0, 8191),
      substreams: fc.array(substream, { minLength: 1, maxLength: 8 }),
      extension: fc.uint8Array({ maxLength: 4 }),
    })
    fc.assert(
      fc.property(dec3, (each) => {
        expect(parseDec3(writeDec3(each))).toEqual(each)
      }),
    )
    expect(substreamChannels({ ...parseDec3(hex('0900200f0202')).substreams[0] })).toBe(8)
  })

  it('is not what is cut or begins in the middle', () => {
    const { data } = vector('eac3-stereo').packets[0]
    expect(() => parseEac3Packet(data.subarray(0, -1))).toThrow(MalformedError)
    expect(() => parseEac3Packet(new Uint8Array(0))).toThrow(MalformedError)
    const rear = eac3Frame({ type: 1, id: 0, bytes: 64, blocks: 3, acmod: 6, lfe: false })
    expect(() => parseEac3Packet(rear)).toThrow(/starts with a dependent/)
    expect(() => parseEac3Packet(vector('ac3-51').packets[0].data)).toThrow(MalformedError)
  })
})

describe('FLAC', () => {
  it('STREAMINFO is the same from every wrapping', () => {
    const { config } = vector('flac')
    const info = parseFlacStreamInfo(config)
    expect(info).toMatchObject({ sampleRateHz: 48_000, channels: 2, bitsPerSample: 16, maxBlockSamples: 1024 })
    expect(Buffer.from(writeFlacStreamInfo(info))).toEqual(config)
    expect(Buffer.from(flacConfig(flacHeaderWithMarker(config)))).toEqual(config)
    const notLast = Buffer.from(config)
    notLast[0] = 0
    const comment = hex('84000004 00000000')
    expect(Buffer.from(flacConfig(Buffer.concat([flacHeaderWithMarker(notLast), comment])))).toEqual(config)
  })

  it('STREAMINFO keeps every field', () => {
    const info = fc.record({
      minBlockSamples: int(0, 65_535),
      maxBlockSamples: int(0, 65_535),
      minFrameBytes: int(0, 2 ** 24 - 1),
      maxFrameBytes: int(0, 2 ** 24 - 1),
      sampleRateHz: int(1, 2 ** 20 - 1),
      channels: int(1, 8),
      bitsPerSample: int(4, 32),
      totalSamples: int(0, 2 ** 36 - 1),
      md5: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    })
    fc.assert(
      fc.property(info, (each) => {
        expect(parseFlacStreamInfo(writeFlacStreamInfo(each))).toEqual(each)
      }),
    )
  })

  it.each([
    ['192 samples', 'fff81ac40000', 192],
    ['576 · 2³', 'fff85ac40000', 4608],
    ['4096', 'fff8cac40000', 4096],
    ['32768', 'fff9fac40000', 32_768],
    ['8 bits behind a 2-byte number', 'fff86ac4c28063', 100],
    ['16 bits behind a 7-byte number', 'fff97ac4fe838080808080 0fff', 4096],
  ])('frames say how many samples they have: %s', (_, bytes, samples) => {
    expect(parseFlacFrameHeader(hex(bytes))?.samples).toBe(samples)
  })

  it('is not what it is not', () => {
    const { config } = vector('flac')
    for (let length = 0; length < config.length; length++) {
      expect(() => parseFlacStreamInfo(config.subarray(0, length))).toThrow(MalformedError)
    }
    expect(() => flacConfig(hex('84000004 00000000'))).toThrow(MalformedError)
    for (const bytes of ['', 'fff8', 'fffa1ac40000', 'fff80ac40000', 'fff97ac4fe8380']) {
      expect(parseFlacFrameHeader(hex(bytes))).toBeUndefined()
    }
  })
})
