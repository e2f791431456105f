import { describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import type { RtpPacket } from '../../src/rtp/packet.ts'
import type { RtcpPacket } from '../../src/rtp/rtcp.ts'
import { RtcpOutbox } from '../../src/rtp/rtcp-outbox.ts'
import { parseRtcp } from '../../src/rtp/rtcp-parser.ts'
import { RtpReceiver, type RtpReceiverOptions } from '../../src/rtp/rtp-receiver.ts'
import { rtpPacket, rtxPacket } from './rtp-packets.ts'

const RTX = { payloadType: 97, ssrc: 2 }

/** A receiver, and all that comes out of it. Lost packets are `x`. */
function receiving(options: Partial<RtpReceiverOptions> = {}) {
  const out: (number | 'x')[] = []
  const packets: RtpPacket[] = []
  const sent: RtcpPacket[] = []
  const outbox = new RtcpOutbox({ ssrc: 9, cname: 'us', send: (bytes) => sent.push(...parseRtcp(bytes)) })
  const receiver = new RtpReceiver({
    ssrc: 1,
    clockRateHz: 90_000,
    nack: true,
    rtxPayloadTypes: new Map([[RTX.payloadType, 96]]),
    outbox,
    sink: {
      packet(packet) {
        out.push(packet.sequenceNumber)
        packets.push(packet)
      },
      lost(count) {
        for (let i = 0; i < count; i++) out.push('x')
      },
    },
    ...options,
  })
  const take = (...sequences: number[]) => {
    for (const sequence of sequences) receiver.receive(rtpPacket(sequence))
  }
  const asked = () => {
    outbox.flush()
    return sent.splice(0).flatMap((packet) => (packet.type === 'nack' ? packet.sequences : []))
  }
  return { receiver, out, packets, take, asked }
}

describe('a receiver', () => {
  it('hands on at once what comes in order, over the wrap as well', () => {
    const { out, take, asked } = receiving()
    take(65534, 65535)
    expect(out).toEqual([65534, 65535])
    take(0, 1, 2)
    expect(out).toEqual([65534, 65535, 0, 1, 2])
    expect(asked()).toEqual([])
  })

  it('wraps with the very first packets', () => {
    const { receiver, out, take } = receiving()
    take(65535, 1, 0)
    expect(out).toEqual([65535, 0, 1])
    expect(receiver.figures().resets).toBe(0)
  })

  it('begins with what the very first packets have overtaken, where that may be', () => {
    const isBeginning = ({ sequenceNumber }: RtpPacket) => sequenceNumber === 65_535
    const swapped = receiving({ isBeginning })
    swapped.take(0, 1)
    expect(swapped.out).toEqual([])
    expect(swapped.receiver.reportBlock(1000)).toBeUndefined()
    swapped.take(65_535, 2)
    expect(swapped.out).toEqual([65_535, 0, 1, 2])
    expect(swapped.receiver.figures()).toMatchObject({ packets: 4, packetsLost: 0, packetsLate: 0 })
    const between = receiving({ isBeginning, nack: false })
    between.take(12, 10, 10)
    between.receiver.tick(1049)
    expect(between.out).toEqual([])
    between.receiver.tick(1050)
    between.take(11)
    expect(between.out).toEqual([10, 11, 12])
    expect(between.receiver.figures()).toMatchObject({ packets: 3, packetsDuplicate: 1, packetsLost: 0 })

    const many = receiving({ isBeginning })
    many.take(...Array.from({ length: 256 }, (_, i) => 100 + i))
    expect(many.out).toHaveLength(256)
    const short = receiving({ isBeginning })
    short.take(5, 4)
    short.receiver.flush()
    expect(short.out).toEqual([4, 5])
  })

  it('asks for the packets before the very first one where it begins in the middle', () => {
    const isBeginning = ({ sequenceNumber }: RtpPacket) => sequenceNumber === 65_534
    const { receiver, take, asked, out } = receiving({ isBeginning })
    take(0, 1)
    expect(asked()).toEqual([...Array.from({ length: 16 }, (_, i) => 65_519 + i), 65_535])
    receiver.tick(1200)
    expect(asked()).toEqual([])
    expect(out).toEqual([])
    for (const [i, sequence] of [65_535, 65_534].entries()) {
      receiver.receive(rtxPacket(rtpPacket(sequence), { ...RTX, sequenceNumber: i, arrivalMs: 1210 }))
    }
    expect(out).toEqual([65_534, 65_535, 0, 1])
    expect(receiver.figures()).toMatchObject({ packets: 4, packetsLost: 0, rtx: 2, packetsStray: 0 })

    const late = receiving({ isBeginning })
    late.take(5)
    late.receiver.tick(1249)
    expect(late.out).toEqual([])
    late.receiver.tick(1250)
    expect(late.out).toEqual([5])
  })

  it('puts reordered packets in order without asking', () => {
    const { receiver, out, take, asked } = receiving()
    take(1, 3, 4, 2, 6, 5, 7)
    expect(out).toEqual([1, 2, 3, 4, 5, 6, 7])
    receiver.tick(3000)
    expect(asked()).toEqual([])
    expect(receiver.figures()).toMatchObject({ packets: 7, packetsLost: 0, packetsRecovered: 0, nacks: 0 })
  })

  it('leaves out duplicates and counts them', () => {
    const { receiver, out, take } = receiving()
    take(1, 1, 2, 4, 4, 2, 3, 3, 5)
    expect(out).toEqual([1, 2, 3, 4, 5])
    expect(receiver.figures()).toMatchObject({ packets: 5, packetsDuplicate: 4, packetsLate: 0 })
  })

  it('asks for what is missing, again by round trip, and no more when the budget is over', () => {
    const { receiver, out, asked } = receiving({ jitterBudgetMs: 1000 })
    receiver.rttMs = 100
    receiver.receive(rtpPacket(1, { arrivalMs: 1000 }))
    receiver.receive(rtpPacket(3, { arrivalMs: 1000 }))
    const times: number[] = []
    for (let now = 1000; now < 3000; now += 10) {
      receiver.tick(now)
      if (asked().length > 0) times.push(now)
      if (now < 2000) expect(out).toEqual([1])
    }
    expect(times[0]).toBeLessThanOrEqual(1020)
    expect(times.length).toBeGreaterThanOrEqual(5)
    expect(times.length).toBeLessThanOrEqual(9)
    expect(Math.max(...times)).toBeLessThan(2000)
    for (let i = 1; i < times.length; i++) expect(times[i] - times[i - 1]).toBeGreaterThanOrEqual(100)
    expect(out).toEqual([1, 'x', 3])
    expect(receiver.figures()).toMatchObject({ packetsLost: 1, nacks: times.length, lossRate: 1 / 3 })
  })

  it('takes retransmissions on a stream of their own for what they repeat', () => {
    const { receiver, out, packets, asked } = receiving()
    const lost = rtpPacket(2, { payload: Uint8Array.of(7, 8, 9), marker: true, timestamp: 12345 })
    receiver.receive(rtpPacket(1))
    receiver.receive(rtpPacket(3))
    receiver.tick(1050)
    expect(asked()).toEqual([2])
    receiver.receive(rtxPacket(lost, { ...RTX, sequenceNumber: 700, arrivalMs: 1100 }))
    expect(out).toEqual([1, 2, 3])
    expect(packets[1]).toMatchObject({ payloadType: 96, ssrc: 1, marker: true, timestamp: 12345 })
    expect([...packets[1].payload]).toEqual([7, 8, 9])
    expect(receiver.figures()).toMatchObject({ packets: 3, packetsRecovered: 1, rtx: 1, packetsLost: 0 })
  })

  it('takes retransmissions on the same stream, too', () => {
    const { receiver, out, take, asked } = receiving()
    take(1, 3)
    receiver.tick(1050)
    expect(asked()).toEqual([2])
    receiver.receive(rtpPacket(2, { arrivalMs: 1160 }))
    expect(out).toEqual([1, 2, 3])
    expect(receiver.figures()).toMatchObject({ packetsRecovered: 1, packetsDuplicate: 0, rttMs: 110 })
  })

  it('knows what was sent again on the same stream, however soon, from what was only overtaken', () => {
    const { receiver, take, asked } = receiving()
    receiver.rttMs = 40
    take(1)
    const loses = (lost: number, atMs: number) => {
      receiver.receive(rtpPacket(lost + 1, { arrivalMs: atMs }))
      receiver.tick(atMs + 20)
      expect(asked()).toEqual([lost])
      receiver.receive(rtpPacket(lost, { arrivalMs: atMs + 30 }))
    }
    for (const [lost, atMs] of [
      [2, 1000],
      [4, 2000],
      [6, 3000],
    ] as const)
      loses(lost, atMs)
    expect(receiver.figures()).toMatchObject({ packets: 7, packetsRecovered: 2, packetsLost: 0 })
    receiver.tick(3300)
    expect(receiver.figures().packetsRecovered).toBe(3)
    loses(8, 4000)
    receiver.receive(rtpPacket(8, { arrivalMs: 4060 })) // the answer to the request: the first was on its way
    receiver.tick(5000)
    expect(receiver.figures()).toMatchObject({ packets: 9, packetsRecovered: 3, packetsDuplicate: 1 })
    // and so much reordering is waited for from now on
    asked()
    receiver.receive(rtpPacket(11, { arrivalMs: 6000 }))
    receiver.tick(6030)
    expect(asked()).toEqual([])
    receiver.tick(6040)
    expect(asked()).toEqual([10])
  })

  it('knows that what comes late on the first stream was overtaken, where retransmissions have their own', () => {
    const { receiver, take, asked } = receiving()
    receiver.rttMs = 40
    take(1, 3)
    receiver.tick(1050)
    receiver.receive(rtxPacket(rtpPacket(2), { ...RTX, sequenceNumber: 5, arrivalMs: 1090 }))
    receiver.receive(rtpPacket(5, { arrivalMs: 2000 }))
    receiver.tick(2020)
    receiver.receive(rtpPacket(4, { arrivalMs: 2070 }))
    expect(asked()).toEqual([2, 4])
    expect(receiver.figures()).toMatchObject({ packetsRecovered: 1, rtx: 1, packetsLost: 0, packetsDuplicate: 0 })
  })

  it('does not go on asking for what no sender keeps', () => {
    const { receiver, out, asked } = receiving()
    receiver.rttMs = 20
    receiver.receive(rtpPacket(0, { arrivalMs: 1000, timestamp: 0 }))
    receiver.receive(rtpPacket(121, { arrivalMs: 6000, timestamp: 450_000 }))
    const requests = new Map<number, number>()
    for (let now = 6000; now < 7200; now += 20) {
      receiver.tick(now)
      for (const sequence of asked()) requests.set(sequence, (requests.get(sequence) ?? 0) + 1)
    }
    expect(out.filter((each) => each === 'x')).toHaveLength(120)
    expect(requests.get(1)).toBe(2)
    expect(requests.get(40)).toBe(2)
    expect(requests.get(120)).toBeGreaterThan(6)
    expect(receiver.figures().nacks).toBeLessThan(800)

    const fast = receiving()
    fast.receiver.rttMs = 20
    fast.receiver.receive(rtpPacket(0, { arrivalMs: 1000, timestamp: 0 }))
    fast.receiver.receive(rtpPacket(901, { arrivalMs: 2500, timestamp: 135_000 }))
    const last = new Map<number, number>()
    for (let now = 2500; now < 3700; now += 20) {
      fast.receiver.tick(now)
      for (const sequence of fast.asked()) last.set(sequence, (last.get(sequence) ?? 0) + 1)
    }
    expect([last.get(1), last.get(250)]).toEqual([2, 2])
    expect(last.get(900)).toBeGreaterThan(6)
  })

  it('does not count what only probes the network', () => {
    const { receiver, out, take } = receiving()
    take(1, 2)
    receiver.receive(rtxPacket(rtpPacket(1), { ...RTX, sequenceNumber: 5, arrivalMs: 1000 }))
    receiver.receive(rtpPacket(6, { ...RTX, payload: new Uint8Array(0) }))
    receiver.receive(rtpPacket(3, { payload: new Uint8Array(0) }))
    take(4)
    expect(out).toEqual([1, 2, 4])
    expect(receiver.figures()).toMatchObject({ packetsDuplicate: 0, packetsLost: 0, rtx: 0, packets: 4 })
  })

  it('counts what comes after it was given up', () => {
    const { receiver, out, take } = receiving({ jitterBudgetMs: 100 })
    take(1, 3)
    receiver.tick(1200)
    receiver.receive(rtpPacket(2, { arrivalMs: 1300 }))
    receiver.receive(rtpPacket(2, { arrivalMs: 1300 }))
    expect(out).toEqual([1, 'x', 3])
    expect(receiver.figures()).toMatchObject({ packetsLost: 1, packetsLate: 1, packetsDuplicate: 1 })
  })

  it('waits only for reordering where nothing can be asked for, and learns how much there is', () => {
    const { receiver, out, asked } = receiving({ nack: false })
    receiver.receive(rtpPacket(1, { arrivalMs: 1000 }))
    receiver.receive(rtpPacket(3, { arrivalMs: 1000 }))
    receiver.tick(1150)
    expect(out).toEqual([1, 'x', 3])
    receiver.receive(rtpPacket(2, { arrivalMs: 1200 }))
    receiver.receive(rtpPacket(5, { arrivalMs: 1200 }))
    receiver.tick(1400)
    receiver.receive(rtpPacket(4, { arrivalMs: 1410 }))
    expect(out).toEqual([1, 'x', 3, 4, 5])
    expect(asked()).toEqual([])
  })

  it('stops waiting for a peer that never answers, and begins again when it does', () => {
    const { receiver, out, asked } = receiving()
    receiver.rttMs = 30
    let now = 1000
    receiver.receive(rtpPacket(0, { arrivalMs: now }))
    for (let sequence = 2; sequence < 400; sequence += 2) {
      now += 40
      receiver.receive(rtpPacket(sequence, { arrivalMs: now }))
      receiver.tick(now)
    }
    receiver.tick(now + 700)
    asked()
    expect(out.at(-1)).toBe(398)
    receiver.receive(rtpPacket(400, { arrivalMs: now + 1000 }))
    receiver.tick(now + 1050)
    expect(asked()).toEqual([399])
    receiver.tick(now + 1150)
    expect(out.slice(-2)).toEqual(['x', 400])
    receiver.receive(rtpPacket(402, { arrivalMs: now + 2000 }))
    receiver.tick(now + 2020)
    receiver.receive(rtpPacket(401, { arrivalMs: now + 2090 }))
    expect(receiver.figures().packetsRecovered).toBe(1)
    receiver.receive(rtpPacket(404, { arrivalMs: now + 3000 }))
    receiver.tick(now + 3900)
    expect(out.at(-1)).toBe(402)
  })

  it('does not take an outage, or answers that come too late, for a peer that never answers', () => {
    const { receiver, out, asked } = receiving()
    receiver.rttMs = 300
    receiver.receive(rtpPacket(0, { arrivalMs: 1000 }))
    receiver.receive(rtpPacket(901, { arrivalMs: 1000 }))
    for (let now = 1000; now <= 2100; now += 20) receiver.tick(now)
    expect(out.at(-1)).toBe(901)
    let now = 3000
    for (let sequence = 903; sequence < 1103; sequence += 2) {
      receiver.receive(rtpPacket(sequence, { arrivalMs: now }))
      for (const end = now + 1040; now < end; now += 20) receiver.tick(now)
      receiver.receive(rtpPacket(sequence - 1, { arrivalMs: now }))
    }
    asked()
    receiver.receive(rtpPacket(1102, { arrivalMs: now }))
    receiver.receive(rtpPacket(1104, { arrivalMs: now }))
    receiver.tick(now + 900)
    expect(out.at(-1)).toBe(1102)
    expect(receiver.figures()).toMatchObject({ packetsLate: 100, packetsRecovered: 0 })
  })

  it('gives up a wide hole at once', () => {
    const { receiver, out } = receiving()
    receiver.receive(rtpPacket(1, { arrivalMs: 1000, timestamp: 0 }))
    receiver.receive(rtpPacket(5001, { arrivalMs: 6000, timestamp: 450_000 }))
    expect(out.length).toBe(1 + 4999 + 1)
    expect(receiver.figures()).toMatchObject({ packetsLost: 4999, resets: 0 })
  })

  it('believes in a restart of the numbers with the second packet, and not in a stray one', () => {
    const { receiver, out } = receiving()
    receiver.receive(rtpPacket(100, { timestamp: 0 }))
    receiver.receive(rtpPacket(40_000, { timestamp: 3000 }))
    receiver.receive(rtpPacket(101, { timestamp: 3000 }))
    expect(out).toEqual([100, 101])
    receiver.receive(rtpPacket(40_000, { timestamp: 999_999_999 }))
    receiver.receive(rtpPacket(40_001, { timestamp: 999_999_999 }))
    receiver.receive(rtpPacket(40_002, { timestamp: 999_999_999 }))
    expect(out).toEqual([100, 101, 'x', 40_000, 40_001, 40_002])
    expect(receiver.figures()).toMatchObject({ resets: 1, packetsStray: 1, packets: 5 })
  })

  it('takes old packets for old ones, however many follow each other', () => {
    const { receiver, out } = receiving()
    for (let i = 0; i < 400; i++) receiver.receive(rtpPacket(i))
    for (let i = 100; i < 200; i++) receiver.receive(rtpPacket(i))
    expect(out.length).toBe(400)
    expect(receiver.figures()).toMatchObject({ packetsDuplicate: 100, resets: 0 })
  })

  it('holds what is bounded, whatever comes', () => {
    const { receiver, out } = receiving()
    const payload = new Uint8Array(1200)
    receiver.receive(rtpPacket(0, { payload }))
    for (let i = 2; i < 30_000; i++)
      receiver.receive(rtpPacket(i & 0xffff, { payload, arrivalMs: 1000, timestamp: 3000 }))
    expect(30_000 - out.length).toBeLessThan(8192)
    receiver.flush()
    expect(out.length).toBe(30_000)
    expect(out.filter((entry) => entry === 'x')).toHaveLength(1)
  })

  it('survives noise: what goes on is in order, and every number is accounted for once', () => {
    const pick = random(7)
    let last = -1
    let steps = 0
    let given = 0
    let lost = 0
    const sink = {
      packet({ sequenceNumber }: RtpPacket) {
        if (last >= 0 && sequenceNumber !== ((last + 1) & 0xffff)) steps++
        last = sequenceNumber
        given++
      },
      lost(count: number) {
        last = -1
        lost += count
      },
    }
    const { receiver } = receiving({ sink })
    for (let i = 0; i < 20_000; i++) {
      const sequence = pick(4) === 0 ? pick(65_536) : (i + pick(300)) & 0xffff
      receiver.receive(rtpPacket(sequence, { arrivalMs: 1000 + i, timestamp: pick(50) === 0 ? pick(2 ** 31) : i * 90 }))
      if (i % 20 === 0) receiver.tick(1000 + i)
    }
    receiver.flush()
    const { packets, packetsLost, resets } = receiver.figures()
    expect(steps).toBe(0)
    expect({ packets, lost: packetsLost + resets }).toEqual({ packets: given, lost })
  })
})

/** One second after the other on a virtual clock: a sender that keeps what it sent, and a network between. */
function overNetwork(network: {
  loss: number
  delayMs: number
  jitterMs: number
  duplicates: number
  rtx: boolean
  seed: number
}) {
  const pick = random(network.seed)
  const chance = (probability: number) => pick(1_000_000) < probability * 1_000_000
  const { receiver, out, asked } = receiving(network.rtx ? {} : { rtxPayloadTypes: new Map() })
  receiver.rttMs = 2 * network.delayMs
  const events: { atMs: number; run: () => void }[] = []
  const dropped = { media: 0, rtx: 0 }
  const later = (run: () => void, inMs: number, now: number) => events.push({ atMs: now + inMs, run })
  const travel = () => network.delayMs + (network.jitterMs === 0 ? 0 : pick(network.jitterMs))
  let rtxSequence = 0
  let now = 1000
  const send = (sequence: number, repeated: boolean) => {
    if (chance(network.loss)) {
      if (repeated) dropped.rtx++
      else dropped.media++
      return
    }
    const inMs = travel()
    const packet = rtpPacket(sequence & 0xffff, { timestamp: sequence * 90, arrivalMs: now + inMs })
    const carried =
      repeated && network.rtx
        ? rtxPacket(packet, { ...RTX, sequenceNumber: rtxSequence++ & 0xffff, arrivalMs: now + inMs })
        : packet
    later(() => receiver.receive(carried), inMs, now)
    if (chance(network.duplicates)) {
      const again = rtpPacket(sequence & 0xffff, { timestamp: sequence * 90, arrivalMs: now + inMs + 1 })
      later(() => receiver.receive(again), inMs + 1, now)
    }
  }
  const PACKETS = 15_000
  for (let sequence = 0; sequence < PACKETS + 2000; now++) {
    if (sequence < PACKETS) send(sequence, false)
    sequence++
    events.sort((a, b) => a.atMs - b.atMs)
    while (events.length > 0 && events[0].atMs <= now) events.shift()?.run()
    if (sequence % 20 === 0) receiver.tick(now)
    const wanted = asked()
    if (wanted.length > 0 && !chance(network.loss)) {
      later(
        () => {
          for (const number of wanted) send(sequence - ((sequence - number) & 0xffff), true)
        },
        travel(),
        now,
      )
    }
  }
  return { figures: receiver.figures(), out, dropped, PACKETS }
}

describe('over a bad network', () => {
  it.each([true, false])('mends 5 % of loss at 100 ms round trip (rtx: %s)', (rtx) => {
    const { figures, out, dropped, PACKETS } = overNetwork({
      loss: 0.05,
      delayMs: 50,
      jitterMs: 5,
      duplicates: 0.01,
      rtx,
      seed: 3,
    })
    expect(figures.packets).toBeGreaterThanOrEqual(PACKETS * 0.9999)
    expect(figures.packets + figures.packetsLost).toBe(PACKETS)
    expect(out).toHaveLength(PACKETS)
    expect(Math.abs(figures.packetsRecovered + figures.packetsLost - dropped.media)).toBeLessThanOrEqual(
      dropped.media * 0.01,
    )
  })

  it('does not take heavy jitter for loss', () => {
    const { figures } = overNetwork({ loss: 0, delayMs: 60, jitterMs: 120, duplicates: 0, rtx: true, seed: 5 })
    expect(figures).toMatchObject({ packetsLost: 0, packetsLate: 0 })
    expect(figures.nacks).toBeLessThan(1500)
  })

  it('mends 10 % with jitter', () => {
    const { figures, PACKETS } = overNetwork({
      loss: 0.1,
      delayMs: 50,
      jitterMs: 60,
      duplicates: 0.02,
      rtx: true,
      seed: 9,
    })
    expect(figures.packets).toBeGreaterThanOrEqual(PACKETS * 0.999)
  })
})
