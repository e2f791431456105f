import { describe, expect, it } from 'vitest'
import { splitSuperframe } from '../../../src/codec/vp9.ts'
import { parseVpcC } from '../../../src/codec/vpcc.ts'
import { Vp8Depacketizer } from '../../../src/rtp/depacketize/vp8.ts'
import { Vp9Depacketizer } from '../../../src/rtp/depacketize/vp9.ts'
import { VECTORS, vector } from '../../codec/vectors.ts'
import { GatheredUnits, SentPackets } from '../gathered-units.ts'
import { type Vp8Picture, type Vp9Picture, vp8Payloads, vp9Payloads } from '../packetizers.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const vp8 = vector('vp8').packets.map(({ data }) => data)
const vp9 = vector('vp9').packets.map(({ data }) => data)

describe('VP8', () => {
  function rig(isLost?: (index: number) => boolean) {
    const gathered = new GatheredUnits()
    const depacketizer = new Vp8Depacketizer(gathered)
    const sent = new SentPackets(depacketizer, isLost)
    let count = 0
    const frame = (data: Uint8Array, picture?: Vp8Picture, size?: number) =>
      sent.unit({ payloads: vp8Payloads(data, picture, size), timestamp: count++ * 3000 })
    return { gathered, depacketizer, sent, frame }
  }

  it('reads the packet of RFC 7741 §4.5 (PictureID 17, a keyframe)', () => {
    const { gathered, sent } = rig()
    const frame = vp8[0]
    sent.packet(Uint8Array.of(0x90, 0x80, 17, ...frame), 7, true)
    expect(hex(gathered.units[0].data)).toBe(hex(frame))
    expect(gathered.units[0]).toMatchObject({ key: true, refersTo: 0, opens: 255, width: 854, height: 478 })
    expect(gathered.units[0].config).toHaveLength(0)
  })

  it('comes out as it went in, with any descriptor, in packets of any size', () => {
    for (const size of [3, 50, 1100]) {
      for (const picture of [{}, { id: 0x7ffe }, { id: 5, base: 3, layer: 0 }]) {
        const { gathered, frame, depacketizer } = rig()
        for (const [i, data] of vp8.entries()) {
          frame(data, 'id' in picture ? { ...picture, id: ((picture.id ?? 0) + i) & 0x7fff } : picture, size)
        }
        expect(gathered.units.map(({ data }) => hex(data))).toEqual(vp8.map(hex))
        expect(gathered.units.map(({ key }) => key)).toEqual([true, false, false, true])
        expect(gathered.units.map(({ config }) => config?.length)).toEqual([0, undefined, undefined, undefined])
        expect([gathered.damages, depacketizer.malformed]).toEqual([[], 0])
      }
    }
  })

  it('says what temporal layers refer to', () => {
    const { gathered, frame } = rig()
    frame(vp8[0], { id: 1, base: 1, layer: 0 })
    frame(vp8[1], { id: 2, base: 1, layer: 2, sync: true, disposable: true })
    frame(vp8[1], { id: 3, base: 1, layer: 1, sync: true })
    frame(vp8[1], { id: 4, base: 1, layer: 2 })
    frame(vp8[1], { id: 5, base: 2, layer: 0 })
    const told = gathered.units.map(({ refersTo, opens, isDisposable }) => [refersTo, opens, isDisposable])
    expect(told).toEqual([
      [0, 255, false],
      [1, 4, true],
      [1, 2, false],
      [7, 0, false],
      [1, 0, false],
    ])
  })

  it('knows by PictureID that nothing was lost but padding', () => {
    const { gathered, sent, frame } = rig((index) => index === 2 || index === 4)
    frame(vp8[0], { id: 127 })
    frame(vp8[1], { id: 128 })
    sent.packet(new Uint8Array(0), 3000, false)
    frame(vp8[1], { id: 129 })
    frame(vp8[1], { id: 130 })
    frame(vp8[1], { id: 131 })
    expect(gathered.damages).toMatchObject([
      { packets: 1, layers: 0 },
      { packets: 1, layers: 255 },
    ])
  })

  it('knows by TL0PICIDX that the base layer is whole', () => {
    const { gathered, frame } = rig((index) => index === 3 || index === 5 || index === 6)
    frame(vp8[0], { id: 1, base: 255, layer: 0 })
    frame(vp8[1], { id: 2, base: 255, layer: 1 })
    frame(vp8[1], { id: 3, base: 0, layer: 0 })
    frame(vp8[1], { id: 4, base: 0, layer: 1 }) // lost
    frame(vp8[1], { id: 5, base: 1, layer: 0 })
    frame(vp8[1], { id: 6, base: 1, layer: 1 }) // lost
    frame(vp8[1], { id: 7, base: 2, layer: 0 }) // lost
    frame(vp8[1], { id: 8, base: 2, layer: 1 })
    expect(gathered.damages.map(({ layers }) => layers)).toEqual([254, 255])
  })

  it('knows that nothing refers to a torn frame with the N bit', () => {
    const { gathered, frame } = rig((index) => index === 2)
    frame(vp8[0], { id: 1, base: 1, layer: 0 })
    frame(vp8[1], { id: 2, base: 1, layer: 1, disposable: true }, 20)
    frame(vp8[1], { id: 3, base: 2, layer: 0 })
    expect(gathered.damages.at(0)).toMatchObject({ damagedUnits: 1, timestamp: 3000, layers: 0 })
    expect(gathered.damages.every(({ layers }) => layers === 0)).toBe(true)
    expect(gathered.units).toHaveLength(2)
  })

  it('parts two frames of one timestamp', () => {
    const { gathered, sent } = rig()
    for (const data of [vp8[0], vp8[1]]) sent.packet(vp8Payloads(data)[0], 9, data === vp8[1])
    expect(gathered.units.map(({ data }) => hex(data))).toEqual(vp8.slice(0, 2).map(hex))
  })

  it.each([
    ['ends in its descriptor', Uint8Array.of(0x90, 0xf0, 0x80)],
    ['has nothing but a descriptor', Uint8Array.of(0x10)],
    ['begins a keyframe without its start code', Uint8Array.of(0x10, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7)],
  ])('leaves out a frame that %s', (_, payload) => {
    const { gathered, depacketizer, sent } = rig()
    sent.packet(payload, 1, true)
    expect([gathered.units.length, depacketizer.malformed]).toEqual([0, 1])
    expect(gathered.damages).toMatchObject([{ damagedUnits: 1, timestamp: 1 }])
  })
})

describe('VP9', () => {
  function rig(isLost?: (index: number) => boolean) {
    const gathered = new GatheredUnits()
    const depacketizer = new Vp9Depacketizer(gathered)
    const sent = new SentPackets(depacketizer, isLost)
    let count = 0
    /** One picture of one or several spatial layers. */
    const picture = (layers: readonly (readonly [Uint8Array, Vp9Picture])[], size?: number) =>
      sent.unit({
        payloads: layers.flatMap(([data, each]) => vp9Payloads(data, each, size)),
        timestamp: count++ * 3000,
      })
    return { gathered, depacketizer, sent, picture }
  }

  it.each(VECTORS.filter(({ codec }) => codec === 'vp9'))('$name comes out as it went in', ({ packets, probe }) => {
    for (const size of [7, 50, 1100]) {
      for (const flexible of [false, true]) {
        const { gathered, depacketizer, picture } = rig()
        for (const [i, { data }] of packets.entries()) {
          const base = { id: 126 + i, isShort: false, flexible, temporal: 0, base: i }
          const structure = i === 0 ? [0x18, 3, 0x52, 2, 0xd0, 1, 0x04, 1] : undefined
          const differences = i === 0 ? [] : [1]
          picture([[data, { ...base, differences, ...(structure === undefined ? {} : { structure }) }]], size)
        }
        expect(gathered.units.map(({ data }) => hex(data))).toEqual(packets.map(({ data }) => hex(data)))
        expect(gathered.units.map(({ key }) => key)).toEqual(packets.map(({ key }) => key))
        expect([gathered.damages, depacketizer.malformed]).toEqual([[], 0])
        expect(gathered.units[0]).toMatchObject({ width: probe.width, height: probe.height })
        expect(parseVpcC(gathered.units[0].config ?? new Uint8Array(0)).bitDepth).toBeGreaterThanOrEqual(8)
        expect(gathered.units.slice(1).every(({ config }) => config === undefined)).toBe(true)
      }
    }
  })

  it('makes one superframe of all spatial layers of a picture, and has the size of the highest', () => {
    const { gathered, picture } = rig()
    const structure = [0x30, 1, 0xaa, 0, 0xf0, 3, 0x56, 1, 0xe0]
    const large = new Uint8Array(70_000).fill(0x86)
    picture([
      [vp9[0], { id: 1, flexible: true, temporal: 0, spatial: 0, structure }],
      [large, { id: 1, flexible: true, temporal: 0, spatial: 1 }],
    ])
    expect(splitSuperframe(gathered.units[0].data).map(hex)).toEqual([hex(vp9[0]), hex(large)])
    expect(gathered.units[0]).toMatchObject({ key: true, width: 854, height: 480 })
    const [unit] = gathered.units
    expect(unit.data.length).toBe(vp9[0].length + large.length + 8)
  })

  it('leaves out a picture of which a spatial layer is missing', () => {
    for (const lost of [2, 3]) {
      const { gathered, picture } = rig((index) => index === lost)
      for (let i = 0; i < 3; i++) {
        const layer = (spatial: number): Vp9Picture => ({ id: i, temporal: 0, spatial, base: i })
        picture([
          [vp9[i === 0 ? 0 : 1], layer(0)],
          [vp9[1], layer(1)],
        ])
      }
      expect(gathered.units.map(({ timestamp }) => timestamp)).toEqual([0, 6000])
      expect(gathered.damages[0]).toMatchObject({ packets: 1, damagedUnits: 1, timestamp: 3000 })
      expect(gathered.damages[0].layers & 1).toBe(1)
    }
  })

  it('says which layers open at a switching point', () => {
    const { gathered, picture } = rig()
    picture([[vp9[0], { id: 1, temporal: 0, base: 1 }]])
    picture([[vp9[1], { id: 2, temporal: 2, base: 1 }]])
    picture([[vp9[1], { id: 3, temporal: 0, base: 2, switching: true }]])
    expect(gathered.units.map(({ refersTo, opens }) => [refersTo, opens])).toEqual([
      [0, 255],
      [7, 0],
      [1, 254],
    ])
  })

  it('follows references in flexible mode: orphans are known, and no others', () => {
    for (const isShort of [true, false]) {
      const { gathered, picture } = rig((index) => index === 2)
      const start = 126
      const each = (n: number, differences: readonly number[], key = false) =>
        picture([
          [vp9[key ? 0 : 1], { id: (start + n) & (isShort ? 0x7f : 0x7fff), isShort, flexible: true, differences }],
        ])
      each(0, [], true)
      each(1, [1])
      each(2, [1]) // lost
      each(3, [2]) // refers to 1
      each(4, [1, 2]) // refers to 3 and to what was lost
      each(5, [1]) // refers to the orphan
      each(6, [3, 5])
      each(7, [], true)
      expect(gathered.units.map(({ isOrphan }) => isOrphan)).toEqual([false, false, false, true, true, false, false])
      expect(gathered.damages).toMatchObject([{ packets: 1, damagedUnits: 0, layers: 0 }])
    }
  })

  describe('as Chromium sends it: P_DIFF counts pictures that its encoder dropped, PictureID does not', () => {
    /** One packet: I, F, B and E, and P with its P_DIFF but for keyframes; 15 bits of PictureID. RFC 9628 §4.2 */
    const packet = (id: number, difference: number) => {
      const start = [difference === 0 ? 0x9c : 0xdc, 0x80 | (id >> 8), id & 0xff]
      return Uint8Array.of(...start, ...(difference === 0 ? vp9[0] : [difference << 1, ...vp9[1]]))
    }
    /** Sends pictures from PictureID 0x7ffd on, each by the difference that it says. */
    const sending = (differences: readonly number[], isLost?: (index: number) => boolean) => {
      const { gathered, sent, depacketizer } = rig(isLost)
      for (const [i, difference] of differences.entries()) {
        sent.packet(packet((0x7ffd + i) & 0x7fff, difference), i * 3000, true)
      }
      expect(depacketizer.malformed).toBe(0)
      return gathered
    }

    it('takes references from before the keyframe for that, where nothing was lost', () => {
      const { units, damages } = sending([0, 1, 4, 1, 7, 1, 0, 1])
      expect(units.map(({ isOrphan }) => isOrphan)).toEqual(Array.from({ length: 8 }, () => false))
      expect(units.map(({ key }) => key)).toEqual([true, false, false, false, false, false, true, false])
      expect(units.map(({ refersTo }) => refersTo)).toEqual([0, 0, 1, 1, 1, 1, 0, 1])
      expect(damages).toEqual([])
    })

    it('does not trust such a sender any more: what follows a loss waits for a keyframe', () => {
      const { units, damages } = sending([0, 1, 4, 1, 1, 1, 0, 1], (index) => index === 4)
      expect(units.every(({ isOrphan }) => !isOrphan)).toBe(true)
      expect(damages).toMatchObject([{ packets: 1, layers: 255 }])
    })

    it('takes them for what was lost where something was, also in what lies between keyframes', () => {
      const { units, damages } = sending([0, 1, 1, 4, 1, 0, 1, 4, 1], (index) => index === 2)
      expect(damages).toMatchObject([{ packets: 1, layers: 0 }])
      expect(units.map(({ isOrphan }) => isOrphan)).toEqual([false, false, true, true, false, false, false, false])
    })
  })

  it.each([
    ['no bytes behind its descriptor', Uint8Array.of(0x8c, 0x80)],
    ['flexible mode without a PictureID', Uint8Array.of(0x1c, 0x82)],
    ['a structure that runs over its end', Uint8Array.of(0x0e, 0xf8, 1, 2, 3)],
    ['more than three references', Uint8Array.of(0xdc, 1, 3, 3, 3, 3, 0x82)],
    ['no beginning', Uint8Array.of(0x04, 0x82)],
  ])('leaves out a packet with %s', (_, payload) => {
    const { gathered, depacketizer, sent } = rig()
    sent.packet(payload, 1, true)
    expect([gathered.units.length, depacketizer.malformed]).toEqual([0, 1])
    expect(gathered.damages).toMatchObject([{ damagedUnits: 1 }])
  })
})
