import { describe, expect, it } from 'vitest'
import { parseOpusHead } from '../../../src/codec/opus.ts'
import { UnsupportedError } from '../../../src/media/errors.ts'
import type { AudioCodec } from '../../../src/media/track.ts'
import { depacketizerFor } from '../../../src/rtp/depacketize/depacketizer-for.ts'
import { vector } from '../../codec/vectors.ts'
import { GatheredUnits, SentPackets } from '../gathered-units.ts'

function rig(codec: AudioCodec, parameters: Record<string, string> = {}, channels = 2) {
  const gathered = new GatheredUnits()
  const format = { codec, clockRateHz: 48_000, channels, parameters: new Map(Object.entries(parameters)) }
  const depacketizer = depacketizerFor(format, gathered)
  return { gathered, depacketizer, sent: new SentPackets(depacketizer, (index) => index === 1) }
}

describe('Opus', () => {
  it('gives each packet as it is, and tells of those that were lost', () => {
    const { gathered, sent } = rig('opus')
    const packets = vector('opus-60ms').packets.map(({ data }) => data)
    for (const [i, data] of packets.entries()) sent.packet(data, i * 2880, false)
    const expected = packets.filter((_, i) => i !== 1)
    expect(gathered.units.map(({ data }) => Buffer.from(data))).toEqual(expected.map((data) => Buffer.from(data)))
    expect(gathered.units.every(({ key, refersTo }) => key && refersTo === 0)).toBe(true)
    expect(gathered.order).toEqual(['unit', 'damaged', 'unit', 'unit'])
    expect(gathered.damages).toEqual([{ packets: 1, damagedUnits: 0, timestamp: undefined, layers: 0 }])
  })

  it('has the channels that the description announces, else those of the packets', () => {
    const silent = Uint8Array.of(0xf8, 0xff, 0xfe)
    const stereo = Uint8Array.of(0xfc, 0xff, 0xfe)
    const heads = (parameters: Record<string, string>, packets: readonly Uint8Array[]) => {
      const { gathered, depacketizer } = rig('opus', parameters)
      const sent = new SentPackets(depacketizer)
      for (const [i, data] of packets.entries()) sent.packet(data, i * 960, false)
      return gathered.units.map(({ config }) => (config === undefined ? undefined : parseOpusHead(config)))
    }
    expect(heads({}, [silent, silent])).toMatchObject([{ channels: 1, preSkip: 312 }, undefined])
    expect(heads({ 'sprop-stereo': '1' }, [silent])).toMatchObject([{ channels: 2 }])
    expect(heads({ stereo: '1' }, [silent, stereo])).toMatchObject([{ channels: 2 }, undefined])
    expect(heads({}, [silent, stereo, silent])).toMatchObject([{ channels: 1 }, { channels: 2 }, undefined])
  })

  it('takes the packets of DTX, and none that cannot be', () => {
    const { gathered, depacketizer } = rig('opus')
    const sent = new SentPackets(depacketizer)
    sent.packet(Uint8Array.of(0xf8), 0, true)
    sent.packet(Uint8Array.of(0xfb), 960, false)
    sent.packet(Uint8Array.of(0xfb, 0), 1920, false)
    expect(gathered.units).toHaveLength(1)
    expect(depacketizer.malformed).toBe(2)
    expect(gathered.damages).toMatchObject([{ damagedUnits: 1, timestamp: 960 }, { damagedUnits: 1 }])
  })
})

describe('PCM', () => {
  it('turns L16 round, and only whole samples', () => {
    const { gathered, depacketizer } = rig('pcm-s16le')
    const sent = new SentPackets(depacketizer)
    sent.packet(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 0, false)
    sent.packet(Uint8Array.of(1, 2), 2, false)
    sent.packet(Uint8Array.of(9, 8, 7, 6), 3, false)
    expect(gathered.units.map(({ data }) => [...data])).toEqual([
      [2, 1, 4, 3, 6, 5, 8, 7],
      [8, 9, 6, 7],
    ])
    expect(depacketizer.malformed).toBe(1)
    expect(gathered.units.map(({ config }) => config?.length)).toEqual([0, undefined])
  })

  it.each(['pcm-alaw', 'pcm-mulaw'] as const)('gives %s as it is', (codec) => {
    const { gathered, depacketizer } = rig(codec, {}, 1)
    new SentPackets(depacketizer).packet(Uint8Array.of(0xd5, 0x55, 0xd5), 0, false)
    expect(gathered.units.map(({ data }) => [...data])).toEqual([[0xd5, 0x55, 0xd5]])
  })

  it('refuses codecs that do not come over RTP here', () => {
    expect(() => rig('aac')).toThrow(UnsupportedError)
  })
})
