import { describe, expect, it } from 'vitest'
import { RtpPacket } from '../../src/rtp/packet.ts'
import { RtpWriter } from '../../src/rtp/rtp-writer.ts'
import { unwrapRtx } from '../../src/rtp/rtx.ts'
import { sequenceDelta } from '../../src/rtp/sequence.ts'
import { rtpPacket, rtxPacket } from './rtp-packets.ts'

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
const read = (text: string) => new RtpPacket(hex(text), 0)

describe('an RTP packet', () => {
  it('is read with CSRCs, a header extension and padding (RFC 3550 §5.1)', () => {
    const packet = read(`b2e0fffe 00010002 80000001 00000011 00000022 bede0002 10aa2101 02000000 aabbcc 000002`)
    expect(packet).toMatchObject({
      marker: true,
      payloadType: 96,
      sequenceNumber: 0xfffe,
      timestamp: 65_538,
      ssrc: 0x80000001,
    })
    expect([...packet.payload]).toEqual([0xaa, 0xbb, 0xcc, 0])
    expect(packet.extension(1)).toEqual(Uint8Array.of(0xaa))
    expect(packet.extension(2)).toEqual(Uint8Array.of(1, 2))
    expect(packet.extension(3)).toBeUndefined()
  })

  it('has elements with headers of two bytes as well (RFC 8285 §4.3)', () => {
    const packet = read('90600001 00000001 00000001 10000003 01000203 aabbcc00 f00111 00 ff')
    expect(packet.extension(1)).toEqual(new Uint8Array(0))
    expect(packet.extension(2)).toEqual(Uint8Array.of(0xaa, 0xbb, 0xcc))
    expect(packet.extension(0xf0)).toEqual(Uint8Array.of(0x11))
    expect([...packet.payload]).toEqual([0xff])
  })

  it.each([
    ['too short', '8060000100000001000000'],
    ['of another version', '406000010000000100000001'],
    ['with CSRCs beyond the end', '8f6000010000000100000001'],
    ['with an extension beyond the end', '906000010000000100000001bede0002'],
    ['with more padding than there is', 'a06000010000000100000001ff'],
  ])('is refused when %s', (_, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'TD_MALFORMED' }))
  })

  it('is written as it is read', () => {
    const writer = new RtpWriter()
    const header = { payloadType: 111, marker: true, sequenceNumber: 65_537, timestamp: 2 ** 32 - 1, ssrc: 0xfedcba98 }
    writer.begin(header)
    writer.extension(1, Uint8Array.of(1))
    writer.extension(14, new Uint8Array(16).fill(7))
    writer.extension(2, new Uint8Array(17))
    writer.extension(3, new Uint8Array(0))
    const packet = new RtpPacket(writer.finish(Uint8Array.of(9, 8)) ?? new Uint8Array(0), 0)
    expect(packet).toMatchObject({ ...header, sequenceNumber: 1, payload: Uint8Array.of(9, 8) })
    expect(packet.extension(1)).toEqual(Uint8Array.of(1))
    expect(packet.extension(14)).toEqual(new Uint8Array(16).fill(7))
    expect(packet.extension(2)).toBeUndefined()
    expect(packet.extension(3)).toBeUndefined()
    writer.begin(header)
    expect(writer.finish(new Uint8Array(1489))).toBeUndefined()
  })
})

describe('a retransmission (RFC 4588 §4)', () => {
  it('becomes what it repeats, extensions and all', () => {
    const extensions = [[3, Uint8Array.of(5, 6)]] as const
    const original = rtpPacket(0xabcd, { marker: true, timestamp: 77, payload: Uint8Array.of(1, 2, 3), extensions })
    const repeated = rtxPacket(original, { sequenceNumber: 9, payloadType: 97, ssrc: 2, arrivalMs: 4 })
    const unwrapped = unwrapRtx(repeated, 96, 1)
    expect(unwrapped).toMatchObject({
      marker: true,
      payloadType: 96,
      sequenceNumber: 0xabcd,
      timestamp: 77,
      ssrc: 1,
      arrivalMs: 4,
    })
    expect(unwrapped?.payload).toEqual(Uint8Array.of(1, 2, 3))
    const padded = hex('b0610001 00000002 00000003 bede0001 31070800 0102 aabb 000003')
    const bare = unwrapRtx(new RtpPacket(padded, 0), 96, 0xffffffff)
    expect(bare).toMatchObject({ payloadType: 96, sequenceNumber: 0x0102, ssrc: 0xffffffff })
    expect([...(bare?.payload ?? [])]).toEqual([0xaa, 0xbb])
    expect(bare?.extension(3)).toEqual(Uint8Array.of(7, 8))
  })

  it('is nothing when it only probes', () => {
    expect(unwrapRtx(read('80610001 00000002 00000003'), 96, 1)).toBeUndefined()
    expect(unwrapRtx(read('a0610001 00000002 00000003 00000004'), 96, 1)).toBeUndefined()
    expect(unwrapRtx(read('80610001 00000002 00000003 01'), 96, 1)).toBeUndefined()
  })
})

describe('sequence numbers', () => {
  it('are a circle', () => {
    expect(sequenceDelta(65_535, 0)).toBe(1)
    expect(sequenceDelta(0, 65_535)).toBe(-1)
    expect(sequenceDelta(0, 32_767)).toBe(32_767)
    expect(sequenceDelta(0, 32_768)).toBe(-32_768)
  })
})
