import { describe, expect, it } from 'vitest'
import { parseAvcC } from '../../../src/codec/h264/avcc.ts'
import { parseHvcC } from '../../../src/codec/hevc/hvcc.ts'
import { joinSample } from '../../../src/codec/nal.ts'
import { H264Depacketizer } from '../../../src/rtp/depacketize/h264.ts'
import { HevcDepacketizer } from '../../../src/rtp/depacketize/hevc.ts'
import { VECTORS, vector } from '../../codec/vectors.ts'
import { GatheredUnits, SentPackets } from '../gathered-units.ts'
import { h264Payloads, hevcPayloads, nalUnits } from '../packetizers.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function setsOf(codec: string, config: Uint8Array): Uint8Array[] {
  if (codec === 'h264') return [...parseAvcC(config).sps, ...parseAvcC(config).pps]
  return parseHvcC(config)
    .arrays.filter(({ type }) => type < 35)
    .flatMap(({ units }) => units)
}

const streams = VECTORS.filter(({ codec }) => codec === 'h264' || codec === 'hevc').map((each) => ({
  ...each,
  sets: setsOf(each.codec, each.config),
}))
const h264 = vector('h264-480p')
const sets = [...parseAvcC(h264.config).sps, ...parseAvcC(h264.config).pps]
const units = h264.packets.map(({ data }) => nalUnits(data))

function h264Rig(isLost?: (index: number) => boolean, sprop?: string) {
  const gathered = new GatheredUnits()
  const depacketizer = new H264Depacketizer(gathered, sprop)
  return { gathered, depacketizer, sent: new SentPackets(depacketizer, isLost) }
}

describe('NAL units', () => {
  it.each(streams)('$name comes out as it went in, in packets of any size', ({ codec, sets, packets }) => {
    for (const size of [13, 60, 700, 60_000]) {
      const gathered = new GatheredUnits()
      const depacketizer = codec === 'h264' ? new H264Depacketizer(gathered) : new HevcDepacketizer(gathered)
      const sent = new SentPackets(depacketizer)
      for (const [i, { data, key }] of packets.entries()) {
        const all = [...(key ? sets : []), ...nalUnits(data)]
        const payloads = codec === 'h264' ? h264Payloads(all, size) : hevcPayloads(all, size)
        sent.unit({ payloads, timestamp: (i * 3000 - 6000) >>> 0 })
      }
      sent.end()
      expect(gathered.damages).toEqual([])
      expect(depacketizer.malformed).toBe(0)
      expect(gathered.units.map(({ data }) => Buffer.from(data))).toEqual(packets.map(({ data }) => Buffer.from(data)))
      expect(gathered.units.map(({ key }) => key)).toEqual(packets.map(({ key }) => key))
      expect(gathered.units.map((unit) => unit.config !== undefined)).toEqual(packets.map((_, i) => i === 0))
      const rebuilt = gathered.units[0].config ?? new Uint8Array(0)
      expect(setsOf(codec, rebuilt).map(hex)).toEqual(sets.map(hex))
      const { width, height } = gathered.units[0]
      expect(width * height).toBeGreaterThan(0)
    }
  })

  it('takes parameter sets of the session description', () => {
    const sprop = sets.map((set) => Buffer.from(set).toString('base64')).join(',')
    const { gathered, sent } = h264Rig(undefined, sprop)
    sent.unit({ payloads: h264Payloads(units[0]), timestamp: 0 })
    expect(gathered.units).toHaveLength(1)
    expect(gathered.units[0].config?.length).toBeGreaterThan(20)
    expect(gathered.units[0]).toMatchObject({ width: 854, height: 480, refersTo: 0 })
  })

  it('leaves a keyframe out whose parameter sets never came, and what is not a base64 of one', () => {
    const { gathered, sent } = h264Rig(undefined, 'AAAA,???,')
    sent.unit({ payloads: h264Payloads(units[0]), timestamp: 0 })
    expect(gathered.units).toEqual([])
    expect(gathered.damages).toEqual([{ packets: 0, damagedUnits: 1, timestamp: 0, layers: 255 }])
  })

  it('has a new configuration for new parameter sets, and keeps those in the unit that come without a keyframe', () => {
    const { gathered, sent } = h264Rig()
    const [sps, pps] = sets
    const other = Uint8Array.from(sps)
    other[3] = 41 // level_idc
    const keyframe = (first: readonly Uint8Array[]) => h264Payloads([...first, ...units[0]])
    sent.unit({ payloads: keyframe([sps, pps]), timestamp: 0 })
    sent.unit({ payloads: keyframe([sps, pps]), timestamp: 3000 })
    sent.unit({ payloads: keyframe([other, pps]), timestamp: 6000 })
    sent.unit({ payloads: h264Payloads([pps, ...units[1]]), timestamp: 9000 })
    sent.unit({ payloads: h264Payloads([sps, ...units[1]]), timestamp: 12_000 })
    sent.unit({ payloads: keyframe([]), timestamp: 15_000 })
    const levels = gathered.units.map(({ config }) => (config === undefined ? undefined : config[3]))
    expect(levels).toEqual([sps[3], undefined, 41, undefined, undefined, sps[3]])
    const plain = [0, 0, 0, 1].map((i) => Buffer.from(h264.packets[i].data))
    expect(gathered.units.slice(0, 4).map(({ data }) => Buffer.from(data))).toEqual(plain)
    expect(hex(nalUnits(gathered.units[4].data)[0])).toBe(hex(sps))
    expect(Buffer.from(gathered.units[5].data)).toEqual(plain[0])
  })

  it('says of each unit what it refers to', () => {
    const { gathered, sent } = h264Rig()
    sent.unit({ payloads: h264Payloads([...sets, ...units[0]]), timestamp: 0 })
    const unreferred = units[1].map((unit) => Uint8Array.from(unit, (byte, i) => (i === 0 ? byte & 0x9f : byte)))
    sent.unit({ payloads: h264Payloads(units[1]), timestamp: 3000 })
    sent.unit({ payloads: h264Payloads(unreferred), timestamp: 6000 })
    expect(gathered.units.map(({ isDisposable }) => isDisposable)).toEqual([
      false,
      (units[1].at(-1)?.[0] ?? 0) < 0x20,
      true,
    ])
    expect(gathered.units.map(({ refersTo }) => refersTo)).toEqual([0, 1, 1])
  })
})

describe('sub-layers of HEVC', () => {
  const { config, packets } = vector('hevc-odd')
  const hevcSets = setsOf('hevc', config)
  const slice = nalUnits(packets[1].data).at(-1) ?? new Uint8Array(0)
  /** The slice as one of another nal_unit_type and temporal sub-layer. */
  const as = (type: number, layer: number) => {
    const changed = Uint8Array.from(slice)
    changed[0] = type << 1
    changed[1] = layer + 1
    return changed
  }
  const send = (pictures: readonly Uint8Array[], isLost?: (index: number) => boolean) => {
    const gathered = new GatheredUnits()
    const sent = new SentPackets(new HevcDepacketizer(gathered), isLost)
    sent.unit({ payloads: hevcPayloads([...hevcSets, ...nalUnits(packets[0].data)], 60_000), timestamp: 0 })
    for (const [i, picture] of pictures.entries()) {
      sent.unit({ payloads: hevcPayloads([picture], 20), timestamp: (i + 1) * 3000 })
    }
    return gathered
  }

  it('say what they refer to, and what they open', () => {
    const TRAIL_N = 0
    const [TRAIL_R, TSA_R, STSA_N] = [1, 3, 4]
    const { units: out } = send([as(TRAIL_R, 0), as(TRAIL_R, 2), as(TSA_R, 1), as(STSA_N, 2), as(TRAIL_N, 0)])
    expect(out.map(({ temporalLayer, refersTo, opens }) => [temporalLayer, refersTo, opens])).toEqual([
      [0, 0, 255],
      [0, 1, 0],
      [2, 7, 0],
      [1, 1, 0b1111_1110],
      [2, 3, 0b100],
      [0, 1, 0],
    ])
    expect(out.map(({ isDisposable }) => isDisposable)).toEqual([false, false, false, false, false, true])
  })

  it('are missing from their own on, or from the next where no other of theirs refers to them', () => {
    const torn = (picture: Uint8Array) => send([picture], (index) => index === 2).damages.map(({ layers }) => layers)
    expect(torn(as(1, 1))).toEqual([0b1111_1110])
    expect(torn(as(0, 1))).toEqual([0b1111_1100])
    expect(torn(as(1, 0))).toEqual([255])
  })
})

describe('units of packets that are lost', () => {
  const four = (isLost: (index: number) => boolean, size = 8) => {
    const rig = h264Rig(isLost)
    const payloads = units.map((unit, i) => h264Payloads([...(i % 3 === 0 ? sets : []), ...unit], size))
    for (const [i, each] of payloads.entries()) rig.sent.unit({ payloads: each, timestamp: i * 3000 })
    rig.sent.end()
    return { ...rig, counts: payloads.map(({ length }) => length) }
  }

  it('glues nothing together when a marker is lost', () => {
    const { counts } = four(() => false)
    const { gathered } = four((index) => index === counts[0] + counts[1] - 1)
    expect(gathered.units.map(({ timestamp }) => timestamp)).toEqual([0, 6000, 9000])
    // Also the unit behind the hole says that something may be missing before it.
    expect(gathered.damages.map(({ packets, damagedUnits, timestamp }) => [packets, damagedUnits, timestamp])).toEqual([
      [1, 1, 3000],
      [0, 0, undefined],
    ])
  })

  it('leaves out a unit with a hole in it, or without its first packet', () => {
    const { counts } = four(() => false)
    expect(counts[0]).toBeGreaterThan(5)
    for (const at of [1, 2, counts[0] - 2]) {
      const { gathered } = four((index) => index === at)
      expect(gathered.units.map(({ timestamp }) => timestamp)).toEqual([3000, 6000, 9000])
      expect(gathered.damages).toEqual([{ packets: 1, damagedUnits: 1, timestamp: 0, layers: 255 }])
    }
    const { gathered } = four((index) => index === counts[0])
    expect(gathered.units.map(({ timestamp }) => timestamp)).toEqual([0, 6000, 9000])
    expect(gathered.damages).toMatchObject([{ packets: 1, damagedUnits: 1, timestamp: 3000 }])
  })

  it('tells at the end what was lost, and gives nothing out that may not be whole', () => {
    const { counts } = four(() => false)
    const all = counts.reduce((sum, count) => sum + count, 0)
    for (const lost of [all - 1, all - 2]) {
      const { gathered } = four((index) => index === lost)
      expect(gathered.units.map(({ timestamp }) => timestamp)).toEqual([0, 3000, 6000])
      expect(gathered.damages).toMatchObject([{ packets: 1, damagedUnits: 1, timestamp: 9000 }])
    }
    const { gathered, sent } = h264Rig()
    for (const payload of h264Payloads([...sets, ...units[0]], 60)) sent.packet(payload, 0, false) // who was stopped in it
    sent.end()
    expect([gathered.units, gathered.damages]).toEqual([[], []])
  })

  it('tells of units of which nothing came', () => {
    const { counts } = four(() => false, 1100)
    expect(counts).toEqual([1, 1, 1, 1])
    const { gathered } = four((index) => index === 1 || index === 2, 1100)
    expect(gathered.units.map(({ timestamp }) => timestamp)).toEqual([0, 9000])
    expect(gathered.order).toEqual(['unit', 'damaged', 'unit'])
    expect(gathered.damages).toMatchObject([{ damagedUnits: 0, timestamp: undefined, layers: 0 }]) // an IDR picture follows
  })

  it('knows that nothing refers to a torn unit of nal_ref_idc 0', () => {
    const unreferred = units[1].map((unit) => Uint8Array.from(unit, (byte, i) => (i === 0 ? byte & 0x9f : byte)))
    const rig = h264Rig((index) => index === 2)
    rig.sent.unit({ payloads: h264Payloads([...sets, ...units[0]], 10_000), timestamp: 0 })
    rig.sent.unit({ payloads: h264Payloads(unreferred, 8), timestamp: 3000 })
    rig.sent.unit({ payloads: h264Payloads(units[2]), timestamp: 6000 })
    expect(rig.gathered.damages).toEqual([{ packets: 1, damagedUnits: 1, timestamp: 3000, layers: 0 }])
    expect(rig.gathered.units.map(({ timestamp }) => timestamp)).toEqual([0, 6000])
  })

  it('does not take a keyframe whose parameter sets may have been lost', () => {
    const lossy = (at: number) => {
      const rig = h264Rig((index) => index === at)
      for (let i = 0; i < 2; i++) {
        rig.sent.packet(h264Payloads(sets)[0], i * 3000, false)
        rig.sent.packet(h264Payloads(units[0])[0], i * 3000, true)
      }
      return rig.gathered
    }
    expect(lossy(99).units).toHaveLength(2)
    expect(lossy(2).units).toHaveLength(1)
    expect(lossy(2).damages).toMatchObject([{ damagedUnits: 1, timestamp: 3000 }])
  })

  it('passes over padding, with or without the marker', () => {
    const { gathered, sent } = h264Rig()
    const payloads = h264Payloads([...sets, ...units[0]])
    for (const payload of payloads) sent.packet(payload, 0, false)
    sent.packet(new Uint8Array(0), 0, true)
    expect(gathered.units).toHaveLength(1)
    sent.packet(new Uint8Array(0), 0, false)
    sent.unit({ payloads: h264Payloads(units[1]), timestamp: 3000 })
    expect(gathered.units).toHaveLength(2)
    expect(gathered.damages).toEqual([])
  })

  it('finds out a sender that sets the marker on every packet', () => {
    const { gathered, sent } = h264Rig()
    const all = [...sets, ...units[0], withSecondSlice(units[0].at(-1) ?? new Uint8Array(0))]
    for (let i = 0; i < 5; i++) {
      for (const payload of all) sent.packet(payload, i * 3000, true)
    }
    sent.end()
    const last = gathered.units.at(-1)
    expect(last?.timestamp).toBe(9000) // of the one behind it nothing tells whether it is whole
    expect(Buffer.from(last?.data ?? [])).toEqual(Buffer.from(joinSample(all.slice(2))))
    expect(gathered.units.filter(({ timestamp }) => timestamp === 6000)).toHaveLength(1)
  })
})

/** The same slice as if it began at another macroblock: first_mb_in_slice 1 instead of 0. */
function withSecondSlice(slice: Uint8Array): Uint8Array {
  const other = Uint8Array.from(slice)
  other[1] = 0x40 | (other[1] & 0x1f)
  return other
}

describe('hostile packets', () => {
  const payload = (...bytes: number[]) => Uint8Array.from(bytes)
  it.each([
    ['STAP-B', payload(25, 0, 0, 0, 2, 0x65, 0x88)],
    ['MTAP16', payload(26, 0, 0, 0, 2, 0, 0, 0x65, 0x88)],
    ['MTAP24', payload(27, 0, 0, 0, 2, 0, 0, 0, 0x65, 0x88)],
    ['FU-B', payload(29, 0x85, 0, 0, 0x88)],
    ['a fragment without its start', payload(28, 0x05, 1, 2)],
    ['a fragment of an aggregate', payload(28, 0x98, 1, 2)],
    ['a fragment of nothing', payload(28, 0x85)],
    ['an aggregate that runs over its end', payload(24, 0, 9, 0x65, 0x88)],
    ['an aggregate with an empty unit', payload(24, 0, 0)],
    ['an aggregate of nothing', payload(24)],
    ['the forbidden bit', payload(0xe5, 0x88)],
    ['a sequence parameter set that ends at once', payload(0x67)],
  ])('%s is counted and left out', (_, bytes) => {
    const { gathered, depacketizer, sent } = h264Rig()
    sent.unit({ payloads: h264Payloads([...sets, ...units[0]]), timestamp: 0 })
    sent.unit({ payloads: [bytes, ...h264Payloads(units[1])], timestamp: 3000 })
    sent.unit({ payloads: h264Payloads(units[1]), timestamp: 6000 })
    expect(depacketizer.malformed).toBe(1)
    expect(gathered.units.map(({ timestamp }) => timestamp)).toEqual([0, 6000])
    expect(gathered.damages).toMatchObject([{ packets: 0, damagedUnits: 1, timestamp: 3000 }])
  })

  it('ignores packet types that are not defined', () => {
    const { gathered, sent } = h264Rig()
    sent.unit({ payloads: [payload(30, 1), payload(31, 1), ...h264Payloads([...sets, ...units[0]])], timestamp: 0 })
    expect(gathered.units).toHaveLength(1)
  })

  it.each([
    ['PACI', payload(50 << 1, 1, 0, 0, 0)],
    ['too little', payload(49 << 1, 1, 0x93)],
    ['a fragment without its start', payload(49 << 1, 1, 0x13, 1)],
    ['an aggregate that runs over its end', payload(48 << 1, 1, 0, 90, 2, 1)],
    ['two bytes', payload(2, 1)],
  ])('HEVC: %s is counted and left out', (_, bytes) => {
    const gathered = new GatheredUnits()
    const depacketizer = new HevcDepacketizer(gathered)
    new SentPackets(depacketizer).unit({ payloads: [bytes], timestamp: 0 })
    expect(depacketizer.malformed).toBe(1)
    expect(gathered.damages).toMatchObject([{ damagedUnits: 1 }])
  })

  it('leaves out a unit larger than any', () => {
    const { gathered, sent } = h264Rig()
    const start = new Uint8Array(60_000).fill(7)
    start.set([28, 0x85])
    const more = new Uint8Array(60_000).fill(7)
    more.set([28, 0x05])
    sent.packet(start, 0, false)
    for (let i = 0; i < 300; i++) sent.packet(more, 0, i === 299)
    sent.unit({ payloads: h264Payloads([...sets, ...units[0]]), timestamp: 3000 })
    expect(gathered.units.map(({ timestamp }) => timestamp)).toEqual([3000])
  })
})
