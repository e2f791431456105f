import { describe, expect, it } from 'vitest'
import { ntpMs, roundTripMs } from '../../src/rtp/ntp.ts'
import { isRtcp, type RtcpPacket } from '../../src/rtp/rtcp.ts'
import { RtcpOutbox } from '../../src/rtp/rtcp-outbox.ts'
import { parseRtcp } from '../../src/rtp/rtcp-parser.ts'

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))

/** What an outbox sends for what is said to it. */
function said(
  say: (outbox: RtcpOutbox) => void,
  reducedSize = true,
): { datagrams: Uint8Array[]; packets: RtcpPacket[] } {
  const datagrams: Uint8Array[] = []
  const send = (bytes: Uint8Array) => datagrams.push(bytes.slice())
  const outbox = new RtcpOutbox({ ssrc: 0x11223344, cname: 'a@b', reducedSize, send })
  say(outbox)
  outbox.flush()
  return { datagrams, packets: datagrams.flatMap(parseRtcp) }
}

const BLOCK = {
  ssrc: 5,
  fractionLost: 128,
  cumulativeLost: -3,
  highestSequence: 0xffff0001,
  jitter: 77,
  lastSr: 0x80000001,
  delaySinceLastSr: 65_536,
}

describe('RTCP', () => {
  it('is told from RTP by its payload type', () => {
    expect(isRtcp(Uint8Array.of(0x80, 200))).toBe(true)
    expect(isRtcp(Uint8Array.of(0x80, 0x80 | 96))).toBe(false)
    expect(isRtcp(Uint8Array.of(0x80, 111))).toBe(false)
    expect(isRtcp(Uint8Array.of(0x80))).toBe(false)
  })

  it('reads a compound packet byte by byte: SR, SDES, BYE', () => {
    const packets = parseRtcp(
      hex(
        `81c8000c 00000001 e0000000 80000000 0000ffff 00000010 00000200
           00000005 80fffffd ffff0001 0000004d 80000001 00010000
           81ca0003 00000001 0103 614062 000000 00
           81cb0002 00000001 03 627965`.replace('0103 614062 000000 00', '0103614062000000'),
      ),
    )
    expect(packets).toEqual([
      {
        type: 'sr',
        ssrc: 1,
        ntpMs: 0xe0000000 * 1000 + 500,
        ntpMiddle: 0x00008000,
        timestamp: 0xffff,
        packets: 16,
        octets: 512,
        blocks: [BLOCK],
      },
      { type: 'sdes', chunks: [{ ssrc: 1, cname: 'a@b' }] },
      { type: 'bye', ssrcs: [1], reason: 'bye' },
    ])
  })

  it('writes reports as it reads them, and the CNAME with each', () => {
    const { packets } = said((outbox) => {
      outbox.senderReport({ ssrc: 7, ntpMs: 3_900_000_000_250, timestamp: 2 ** 32 + 5, packets: 1, octets: 2 })
      outbox.receiverReport([BLOCK])
    })
    expect(packets).toMatchObject([
      { type: 'sr', ssrc: 7, timestamp: 5, packets: 1, octets: 2, blocks: [] },
      { type: 'sdes', chunks: [{ ssrc: 7, cname: 'a@b' }] },
      { type: 'rr', ssrc: 0x11223344, blocks: [BLOCK] },
      { type: 'sdes', chunks: [{ ssrc: 0x11223344, cname: 'a@b' }] },
    ])
    expect(packets[0]).toHaveProperty('ntpMs', expect.closeTo(3_900_000_000_250, 2))
  })

  it('packs generic NACKs as RFC 4585 §6.2.1 has them', () => {
    const sequences = [65_534, 65_535, 3, 14, 15, 40]
    const { datagrams, packets } = said((outbox) => outbox.nack(9, sequences))
    expect(packets).toEqual([{ type: 'nack', senderSsrc: 0x11223344, mediaSsrc: 9, sequences }])
    expect(Buffer.from(datagrams[0]).toString('hex')).toBe(
      '81cd0005112233440000 0009fffe8011000f00000028 0000'.replaceAll(' ', ''),
    )
  })

  it('says PLI, FIR and REMB', () => {
    const { packets } = said((outbox) => {
      outbox.pli(9)
      outbox.fir(10, 257)
      outbox.remb(5_000_000, [9, 10])
      outbox.bye([3])
    })
    expect(packets).toEqual([
      { type: 'pli', senderSsrc: 0x11223344, mediaSsrc: 9 },
      { type: 'fir', senderSsrc: 0x11223344, requests: [{ ssrc: 10, sequence: 1 }] },
      { type: 'remb', senderSsrc: 0x11223344, bitrateBps: expect.closeTo(5_000_000, -2), ssrcs: [9, 10] },
      { type: 'bye', ssrcs: [3] },
    ])
  })

  it('says when it is, and hears when that was heard (RFC 3611)', () => {
    const { datagrams } = said((outbox) => outbox.receiverReference(3_900_000_000_500))
    expect(Buffer.from(datagrams[0]).toString('hex')).toBe('80cf00041122334404000002e8754700' + '80000000')
    const heard = hex('80cf0008 00000001 0400 0002 00000000 00000000 0500 0003 11223344 47008000 00010000')
    expect(parseRtcp(heard)).toEqual([
      { type: 'xr', ssrc: 1, heard: [{ ssrc: 0x11223344, lastReference: 0x47008000, delay: 65_536 }] },
    ])
    const nowMs = performance.now()
    const middle = Math.round((ntpMs(nowMs - 1100) * 65_536) / 1000) % 2 ** 32
    expect(roundTripMs(middle, 65_536, nowMs)).toBeCloseTo(100, 0)
    expect(roundTripMs(0, 65_536, nowMs)).toBeUndefined()
    expect(roundTripMs(middle, Math.round(1.104 * 65_536), nowMs)).toBe(0) // of who is near, rounded
    expect(roundTripMs((middle + 65_536) % 2 ** 32, 0xffff8000, nowMs)).toBeCloseTo(600, 0) // wraps
    expect(roundTripMs(middle, 2 * 65_536, nowMs)).toBeUndefined()
  })

  it('reads the REMB of the draft', () => {
    const packet = hex('8fce0005 00000001 00000000 52454d42 01 0bd090 12345678'.replaceAll(' ', ''))
    expect(parseRtcp(packet)).toEqual([{ type: 'remb', senderSsrc: 1, bitrateBps: 0x3d090 * 4, ssrcs: [0x12345678] }])
  })

  it('stays within 1200 bytes, however much there is to say', () => {
    const blocks = Array.from({ length: 100 }, (_, i) => ({ ...BLOCK, ssrc: i }))
    const sequences = Array.from({ length: 2000 }, (_, i) => (i * 20) & 0xffff)
    const { datagrams, packets } = said((outbox) => {
      outbox.receiverReport(blocks)
      outbox.nack(9, sequences)
      for (let i = 0; i < 300; i++) outbox.pli(i)
    })
    for (const datagram of datagrams) expect(datagram.length).toBeLessThanOrEqual(1200)
    expect(packets.flatMap((packet) => (packet.type === 'rr' ? packet.blocks : []))).toEqual(blocks)
    expect(packets.flatMap((packet) => (packet.type === 'nack' ? packet.sequences : []))).toEqual(sequences)
    expect(packets.filter(({ type }) => type === 'pli')).toHaveLength(300)
  })

  it('puts an empty report before feedback where RFC 5506 was not agreed on', () => {
    const { packets } = said((outbox) => {
      outbox.pli(9)
      outbox.pli(10)
    }, false)
    expect(packets.map(({ type }) => type)).toEqual(['rr', 'sdes', 'pli', 'pli'])
  })

  it.each([
    ['nothing', ''],
    ['half a header', '80c9'],
    ['another version', '40c90001 00000001'],
    ['a length beyond the end', '80c90002 00000001'],
    ['more blocks than bytes', '82c90001 00000001'],
    ['a short sender report', '80c80001 00000001'],
    ['padding beyond the packet', 'a0c90001 000000ff'],
    ['a chunk without an end', '81ca0002 00000001 01ff6162'],
    ['BYE with a long reason', '81cb0002 00000001 ff414141'],
    ['short feedback', '81cd0001 00000001'],
    ['REMB with more SSRCs than there are', '8fce0004 00000001 00000000 52454d42 ff000000'],
    ['transport-cc without chunks', '8fcd0004 00000001 00000002 00010002 00000000'],
    ['transport-cc with an empty run', '8fcd0005 00000001 00000002 00010002 00000000 00000000'],
    ['transport-cc with too many statuses', '8fcd0005 00000001 00000002 0001ffff 00000000 1fff1fff'],
  ])('does not read %s', (_, text) => {
    expect(() => parseRtcp(hex(text))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^TD_(MALFORMED|LIMIT)$/) }),
    )
  })

  it('reads every kind of chunk of transport-wide feedback, over the wrap of its sequence numbers', () => {
    const chunks = '2003 0002 a801 e102' // a run of 3 small, one of 2 missing, 14 of one bit, 7 of two
    const deltas = '0408ff 000102 ffff 05 7fff' // small by twos of three; large, small, large
    const [packet] = parseRtcp(hex(`afcd 0009 00000001 00000002 fffe 001a ffffff ff ${chunks} ${deltas} 01`))
    const from = (2 ** 24 - 1) * 64
    const at = (...ticks: number[]) => from + ticks.reduce((sum, tick) => sum + tick, 0) / 4
    const none = undefined
    const narrow = [at(267), none, at(268), ...Array(10).fill(none), at(270)]
    const wide = [at(269), none, at(274), none, none, none, at(274, 0x7fff)]
    expect(packet).toEqual({
      ...{ type: 'transport-cc', senderSsrc: 1, mediaSsrc: 2, baseSequence: 65_534, feedbackCount: 255 },
      arrivalsMs: [at(4), at(12), at(267), none, none, ...narrow, ...wide],
    })
  })

  it('passes over what it does not know', () => {
    expect(parseRtcp(hex('80cf0001 00000001 84cd0002 00000001 00000002'))).toEqual([
      { type: 'xr', ssrc: 1, heard: [] },
      { type: 'other', packetType: 205, format: 4 },
    ])
  })
})
