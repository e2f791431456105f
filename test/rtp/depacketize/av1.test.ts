import { describe, expect, it } from 'vitest'
import { parseAv1C } from '../../../src/codec/av1/av1c.ts'
import { BitWriter } from '../../../src/codec/bit-writer.ts'
import { Av1Depacketizer } from '../../../src/rtp/depacketize/av1.ts'
import { VECTORS, vector } from '../../codec/vectors.ts'
import { GatheredUnits, SentPackets } from '../gathered-units.ts'
import { av1Payloads } from '../packetizers.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const samples = vector('av1-svt').packets.map(({ data }) => data)
const DESCRIPTOR_ID = 9

function rig(isLost?: (index: number) => boolean, descriptorId?: number) {
  const gathered = new GatheredUnits()
  const depacketizer = new Av1Depacketizer(gathered, descriptorId)
  return { gathered, depacketizer, sent: new SentPackets(depacketizer, isLost) }
}

describe('AV1', () => {
  it.each(VECTORS.filter(({ codec }) => codec === 'av1'))(
    '$name comes out as it went in',
    ({ packets, config, probe }) => {
      for (const size of [5, 30, 1100]) {
        for (const counted of [true, false]) {
          const { gathered, depacketizer, sent } = rig()
          for (const [i, { data }] of packets.entries()) {
            sent.unit({ payloads: av1Payloads(data, size, counted), timestamp: i * 3000 })
          }
          expect(gathered.units.map(({ data }) => hex(data))).toEqual(packets.map(({ data }) => hex(data)))
          expect(gathered.units.map(({ key }) => key)).toEqual(packets.map(({ key }) => key))
          expect([gathered.damages, depacketizer.malformed]).toEqual([[], 0])
          expect(gathered.units.slice(1).every((unit) => unit.config === undefined)).toBe(true)
          const built = parseAv1C(gathered.units[0].config ?? new Uint8Array(0))
          expect(built).toMatchObject({ profile: parseAv1C(config).profile, bitDepth: parseAv1C(config).bitDepth })
          expect(gathered.units[0]).toMatchObject({ width: probe.width, height: probe.height })
        }
      }
    },
  )

  it('gives units their sizes, takes those that have one, and leaves delimiters and tile lists out', () => {
    const { gathered, sent } = rig()
    const [payload] = av1Payloads(samples[0], 5000, false)
    const delimiter = [1, 0x10]
    const sizedPadding = [4, (15 << 3) | 2, 2, 7, 0x80]
    const tileList = [2, 8 << 3, 1]
    sent.packet(Uint8Array.of(0, ...delimiter, ...tileList, ...payload.subarray(1), ...sizedPadding), 0, true)
    expect(hex(gathered.units[0].data)).toBe(`${hex(samples[0])}7a020780`)
  })

  it('leaves a unit with a hole out, in the middle, at its end and at its beginning', () => {
    const counts = samples.map((sample) => av1Payloads(sample, 20).length)
    expect(Math.min(counts[0], counts[1])).toBeGreaterThan(2)
    for (const at of [0, 1, counts[0] - 1, counts[0], counts[0] + counts[1] - 1]) {
      const { gathered, sent } = rig((index) => index === at)
      for (const [i, sample] of samples.entries()) sent.unit({ payloads: av1Payloads(sample, 20), timestamp: i * 3000 })
      sent.end()
      const torn = at < counts[0] ? 0 : 3000
      expect(gathered.units.map(({ timestamp }) => timestamp)).toEqual([0, 3000, 6000, 9000].filter((t) => t !== torn))
      expect(gathered.damages[0]).toEqual({
        packets: 1,
        damagedUnits: 1,
        timestamp: torn,
        layers: gathered.damages[0].layers,
      })
      expect(gathered.damages[0].layers & 1).toBe(1)
    }
  })

  it.each([
    ['goes on with nothing', Uint8Array.of(0x90, 0x30, 1)],
    ['has an element that runs over its end', Uint8Array.of(0x00, 9, 0x30, 1)],
    ['has a length without end', Uint8Array.of(0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80)],
    ['has the forbidden bit', Uint8Array.of(0x10, 0xb0, 1)],
    ['has an element that lies about its size', Uint8Array.of(0x10, 0x32, 9, 1)],
    ['is empty', Uint8Array.of(0x10)],
    ['ends in an OBU header', Uint8Array.of(0x10, 0x34)],
  ])('leaves out a packet that %s', (_, payload) => {
    const { gathered, depacketizer, sent } = rig()
    sent.packet(payload, 1, true)
    expect([gathered.units.length, depacketizer.malformed]).toEqual([0, 1])
    expect(gathered.damages).toMatchObject([{ damagedUnits: 1 }])
  })
})

/** L1T3 as a dependency structure: templates of layers 0, 1, 2 with differences [4], [2], [1]; the first refers to nothing. */
function structure(bits: BitWriter): void {
  bits.put(0, 6).put(2, 5) // template_id_offset, three decode targets
  bits.put(0, 2).put(1, 2).put(1, 2).put(3, 2) // layers of templates: key (0), 0, 1, 2
  for (let i = 0; i < 4 * 3; i++) bits.put(2, 2) // template_dtis
  bits.put(0, 1).put(1, 1).put(3, 4).put(0, 1).put(1, 1).put(1, 4).put(0, 1).put(1, 1).put(0, 4).put(0, 1) // fdiffs
  bits.put(1, 2) // ns(4): one chain
  bits.put(0, 0) // protected_by: ns(1) takes no bits
  for (let i = 0; i < 4; i++) bits.put(0, 4) // template_chains
  bits.put(0, 1) // resolutions_present_flag
}

function descriptor(frame: number, template: number, more: { isKey?: boolean; differences?: readonly number[] } = {}) {
  const bits = new BitWriter()
    .put(3, 2)
    .put(template, 6)
    .put(frame & 0xffff, 16)
  if (more.isKey === true) {
    bits.put(0b10000, 5)
    structure(bits)
  } else if (more.differences !== undefined) {
    bits.put(0b00010, 5)
    for (const difference of more.differences) bits.put(2, 2).put(difference - 1, 8)
    bits.put(0, 2)
  }
  return bits.done()
}

describe('the dependency descriptor', () => {
  it('says exactly who refers to what was lost', () => {
    const { gathered, sent } = rig((index) => index === 3 || index === 9, DESCRIPTOR_ID)
    let count = 0
    const frame = (template: number, more: Parameters<typeof descriptor>[2] = {}) => {
      const number = 65_533 + count
      const extensions = [[[DESCRIPTOR_ID, descriptor(number, template, more)] as const]]
      const payloads = av1Payloads(samples[more.isKey === true ? 0 : 3], 5000)
      sent.unit({ payloads, timestamp: count++ * 3000, extensions })
    }
    frame(0, { isKey: true }) // 0
    frame(3) // 1: layer 2, refers to 0
    frame(2) // 2: layer 1, refers to 0
    frame(3) // 3: lost
    frame(1) // 4: base, refers to 0
    frame(3) // 5: refers to 4
    frame(2) // 6: refers to 4
    frame(3, { differences: [4, 2] }) // 7: refers to what was lost
    frame(1) // 8: base, refers to 4
    frame(3) // 9: lost
    frame(2, { differences: [1] }) // 10: refers to what was lost
    frame(3) // 11: refers to 10
    frame(1) // 12: refers to 8
    expect(gathered.units.map(({ isOrphan }) => isOrphan)).toEqual([
      ...[false, false, false, false, false, false, true, false, true, true, false],
    ])
    expect(gathered.damages.map(({ layers }) => layers)).toEqual([0, 0])
    expect(gathered.units.slice(1).every(({ refersTo }) => refersTo === 0)).toBe(true)
  })

  it('changes nothing where it cannot be read', () => {
    const { gathered, sent } = rig(undefined, DESCRIPTOR_ID)
    for (const [i, bytes] of [
      Uint8Array.of(1),
      Uint8Array.of(0xc0, 0, 1),
      Uint8Array.of(0xc0, 0, 2, 0x80, 0),
    ].entries()) {
      const payloads = av1Payloads(samples[i === 0 ? 0 : 1], 5000)
      sent.unit({ payloads, timestamp: i * 3000, extensions: [[[DESCRIPTOR_ID, bytes]]] })
    }
    expect(gathered.units.map(({ refersTo, isOrphan }) => [refersTo, isOrphan])).toEqual([
      [0, false],
      [1, false],
      [1, false],
    ])
  })
})
