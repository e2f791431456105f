import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blocks } from '../../src/media/block.ts'
import { LimitError, MalformedError } from '../../src/media/errors.ts'
import { ChunkWriter, chunkedBytes, chunkMessage } from '../../src/rtmp/chunk-writer.ts'
import { Collector, hex, pattern } from './collector.ts'

const control = (type: number, value: number): Buffer => {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(value >>> 0)
  return chunkMessage(128, { chunkStreamId: 2, type }, payload)
}

describe('chunk reader', () => {
  it('gives back what the writer wrote, however the reads cut it', () => {
    const message = fc.record({
      type: fc.constantFrom(8, 9, 18, 20, 22),
      chunkStreamId: fc.integer({ min: 3, max: 63 }),
      messageStreamId: fc.integer({ min: 0, max: 0xffffffff }),
      timestampMs: fc.oneof(fc.integer({ min: 0, max: 0xfffffe }), fc.integer({ min: 0xfffffe, max: 0xffffffff })),
      length: fc.oneof(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 0, max: 70_000 })),
    })
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(1, 2, 128, 4096, 65_536, 0xffffff),
        fc.integer({ min: 1, max: 5000 }),
        (messages, chunkSize, pieceBytes) => {
          fc.pre(chunkSize > 2 || messages.every((m) => m.length < 5000))
          const parts = [control(1, chunkSize)]
          for (const [i, m] of messages.entries()) {
            const payload = pattern(m.type === 20 ? m.length % 65_536 : m.length, i)
            const bytes = Buffer.alloc(chunkedBytes(payload.length, m.timestampMs, chunkSize))
            const writer = new ChunkWriter(chunkSize).target(bytes)
            writer.begin(m.chunkStreamId, m.type, m.timestampMs, m.messageStreamId, payload.length)
            const cut = payload.length >> 1
            writer.put(payload.subarray(0, cut)).put(payload.subarray(cut))
            expect(writer.offset).toBe(bytes.length)
            parts.push(bytes)
          }
          const whole = Buffer.concat(parts)
          const collector = new Collector().read(whole, Math.max(pieceBytes, whole.length >> 12))
          expect(collector.messages.length).toBe(messages.length)
          for (const [i, m] of messages.entries()) {
            const got = collector.messages[i]
            expect([got.type, got.timestampMs, got.messageStreamId]).toEqual([m.type, m.timestampMs, m.messageStreamId])
            expect(got.payload.equals(pattern(m.type === 20 ? m.length % 65_536 : m.length, i))).toBe(true)
          }
          expect(collector.reader.pendingBytes).toBe(0)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('reads the example of the specification, §5.3.2.1: types 0, 2, 3, 3', () => {
    const a = pattern(32)
    const bytes = Buffer.concat([
      hex('03 0003e8 000020 08 39300000'),
      a,
      hex('83 000014'),
      a,
      hex('c3'),
      a,
      hex('c3'),
      a,
    ])
    for (const pieceBytes of [1, 7, bytes.length]) {
      const { messages } = new Collector().read(bytes, pieceBytes)
      expect(messages.map((m) => m.timestampMs)).toEqual([1000, 1020, 1040, 1060])
      expect(messages.every((m) => m.messageStreamId === 12_345 && m.payload.equals(a))).toBe(true)
    }
  })

  it('repeats the absolute time as a difference when type 3 follows type 0 (§5.3.1.2.4; ffmpeg counts on it)', () => {
    const bytes = hex('03 000017 000001 08 01000000 aa c3 bb')
    expect(new Collector().read(bytes).messages.map((m) => m.timestampMs)).toEqual([23, 46])
  })

  it('keeps type and length over type 1 and 2, and lets time roll over', () => {
    const bytes = hex(
      '04 ffffff 000001 08 01000000 fffffff0 01' + // 2^32 - 16
        '44 000020 000002 09 0203' + // type 1: + 32, two bytes of video
        '84 000005 0405', // type 2: + 5
    )
    const { messages } = new Collector().read(bytes)
    expect(messages.map((m) => [m.timestampMs, m.type, m.payload.length])).toEqual([
      [0xfffffff0, 8, 1],
      [16, 9, 2],
      [21, 9, 2],
    ])
  })

  it('knows chunk stream ids of two and three bytes', () => {
    const bytes = hex(
      '00 00 000001 000001 08 01000000 aa' + // 64
        '01 0000 000002 000001 08 01000000 bb' + // 64, in three bytes
        '01 0301 000003 000001 08 01000000 cc' + // 3 + 1 * 256 + 64 = 323
        'c1 0301 dd',
    )
    for (const pieceBytes of [1, 3, bytes.length]) {
      const { messages } = new Collector().read(bytes, pieceBytes)
      expect(messages.map((m) => [m.timestampMs, m.payload[0]])).toEqual([
        [1, 0xaa],
        [2, 0xbb],
        [3, 0xcc],
        [6, 0xdd],
      ])
    }
  })

  it('takes extended timestamps repeated in type 3, or not', () => {
    const payload = pattern(300)
    const header = hex('06 ffffff 00012c 09 01000000 01000000')
    const parts = [payload.subarray(0, 128), payload.subarray(128, 256), payload.subarray(256)]
    const repeated = [header, parts[0], hex('c6 01000000'), parts[1], hex('c6 01000000'), parts[2]]
    const bare = [header, parts[0], hex('c6'), parts[1], hex('c6'), parts[2]]
    for (const form of [repeated, bare]) {
      const bytes = Buffer.concat([...form, hex('04 000001 000001 08 01000000 77')])
      for (let pieceBytes = 1; pieceBytes < 20; pieceBytes++) {
        const { messages } = new Collector().read(bytes, pieceBytes)
        expect(messages.length).toBe(2)
        expect(messages[0].timestampMs).toBe(0x01000000)
        expect(messages[0].payload.equals(payload)).toBe(true)
        expect(messages[1].payload[0]).toBe(0x77)
      }
    }
  })

  it('takes a last chunk shorter than an extended timestamp from a peer that does not repeat them', () => {
    const payload = pattern(129)
    const bytes = Buffer.concat([
      hex('06 ffffff 000081 09 01000000 02000000'),
      payload.subarray(0, 128),
      hex('c6'),
      payload.subarray(128),
      hex('04 000001 000001 08 01000000 77'),
      hex('04 000001 000001 08 01000000 78'),
    ])
    for (let pieceBytes = 1; pieceBytes < 30; pieceBytes++) {
      const { messages } = new Collector().read(bytes, pieceBytes)
      expect(messages.map((m) => m.payload[m.payload.length - 1])).toEqual([payload[128], 0x77, 0x78])
    }
  })

  it('puts interleaved messages together', () => {
    const video = pattern(300, 1)
    const audio = pattern(200, 2)
    const bytes = Buffer.concat([
      hex('06 000064 00012c 09 01000000'),
      video.subarray(0, 128),
      hex('04 000065 0000c8 08 01000000'),
      audio.subarray(0, 128),
      hex('c6'),
      video.subarray(128, 256),
      hex('c4'),
      audio.subarray(128),
      hex('c6'),
      video.subarray(256),
    ])
    const { messages } = new Collector().read(bytes, 11)
    expect(messages.map((m) => m.type)).toEqual([8, 9])
    expect(messages[0].payload.equals(audio)).toBe(true)
    expect(messages[1].payload.equals(video)).toBe(true)
  })

  it('drops a message that is aborted in the middle, and goes on with its chunk stream', () => {
    const usedBefore = blocks.usedBytes
    const bytes = Buffer.concat([
      hex('06 000064 00012c 09 01000000'),
      pattern(128),
      control(2, 6),
      hex('46 000001 000002 09 aabb'),
    ])
    const collector = new Collector().read(bytes)
    expect(collector.messages.map((m) => [m.timestampMs, m.payload.length])).toEqual([[101, 2]])
    expect(collector.reader.pendingBytes).toBe(0)
    collector.reader.close()
    expect(blocks.usedBytes).toBe(usedBefore)
  })

  it('begins anew when a header comes in the middle of a message, and counts that', () => {
    const bytes = Buffer.concat([
      hex('06 000064 00012c 09 01000000'),
      pattern(128),
      hex('06 000065 000001 09 01000000 aa'),
    ])
    const collector = new Collector().read(bytes)
    expect(collector.messages.map((m) => m.timestampMs)).toEqual([101])
    expect(collector.reader.abandoned).toBe(1)
  })

  it('changes the chunk size between the chunks of one message', () => {
    const payload = pattern(300)
    const bytes = Buffer.concat([
      hex('06 000064 00012c 09 01000000'),
      payload.subarray(0, 128),
      control(1, 50),
      hex('c6'),
      payload.subarray(128, 178),
      control(1, 0x7fffffff),
      hex('c6'),
      payload.subarray(178),
    ])
    expect(new Collector().read(bytes, 13).messages[0].payload.equals(payload)).toBe(true)
  })

  it('stops in the middle of a read when told, and loses nothing', () => {
    const one = chunkMessage(128, { chunkStreamId: 3, type: 20 }, hex('01'))
    const two = chunkMessage(128, { chunkStreamId: 3, type: 20 }, hex('02'))
    const bytes = Buffer.concat([one, two])
    const collector = new Collector()
    collector.stopAfter = 1
    const end = collector.reader.read(bytes, 0, bytes.length)
    expect([end, collector.messages.length]).toEqual([one.length, 1])
    expect(collector.reader.read(bytes, end, bytes.length)).toBe(end)
    collector.stopAfter = Number.POSITIVE_INFINITY
    collector.reader.resume()
    expect(collector.reader.read(bytes, end, bytes.length)).toBe(bytes.length)
    expect(collector.messages.map((m) => m.payload[0])).toEqual([1, 2])
  })

  it('reads over media that nobody wants without making room for it', () => {
    const collector = new Collector({ maxPendingBytes: 0 })
    collector.wanted = false
    const media = chunkMessage(128, { chunkStreamId: 6, type: 9, messageStreamId: 1 }, pattern(1_000_000))
    collector.read(Buffer.concat([media, chunkMessage(128, { chunkStreamId: 3, type: 20 }, hex('01'))]), 65_536)
    expect(collector.messages.map((m) => m.type)).toEqual([20])
  })
})

describe('chunk reader, against bad peers', () => {
  const read = (text: string, options = {}) => new Collector(options).read(hex(text))

  it('refuses chunk sizes and headers that mean nothing', () => {
    expect(() => new Collector().read(control(1, 0))).toThrow(MalformedError)
    expect(() => new Collector().read(control(1, 0x80000000))).toThrow(MalformedError)
    expect(() => read('c6 00')).toThrow(/begins without a header/)
    expect(() => read('86 000001 00')).toThrow(/begins without a length/)
    expect(() => read('02 000000 000002 01 00000000 0001')).toThrow(MalformedError)
  })

  it('refuses messages over its bound, and commands over theirs', () => {
    expect(() => read('06 000000 000401 09 01000000', { maxMessageBytes: 1024 })).toThrow(LimitError)
    expect(() => read('03 000000 010001 14 00000000')).toThrow(LimitError)
    expect(() => read('02 000000 010001 04 00000000')).toThrow(LimitError)
  })

  it('refuses more chunk streams than anybody needs', () => {
    const many = Array.from({ length: 5000 }, (_, i) => {
      const id = Buffer.from([1, (i - 64) & 0xff, (i - 64) >> 8])
      return Buffer.concat([id, hex('000000 0000ff 09 01000000'), Buffer.alloc(128)])
    })
    const collector = new Collector()
    expect(() => collector.read(Buffer.concat(many.slice(64)))).toThrow(/chunk streams/)
    expect(collector.reader.pendingBytes).toBeLessThanOrEqual(64 * 255)
  })

  it('bounds the memory of half-sent messages, and frees it at the end', () => {
    const collector = new Collector({ maxPendingBytes: 5_000_000 })
    const begin = (id: number) =>
      Buffer.concat([Buffer.from([id]), hex('000000 100000 09 01000000'), Buffer.alloc(128)])
    expect(() => {
      for (let id = 3; id < 60; id++) collector.read(begin(id))
    }).toThrow(LimitError)
    expect(collector.reader.pendingBytes).toBeLessThanOrEqual(5_000_000)
    collector.reader.close()
    expect(collector.reader.pendingBytes).toBe(0)
  })

  it('survives chunks of one byte', () => {
    const bytes = Buffer.concat([control(1, 1), chunkMessage(1, { chunkStreamId: 6, type: 9 }, pattern(20_000))])
    expect(new Collector().read(bytes, 4096).messages[0].payload.equals(pattern(20_000))).toBe(true)
  })
})

describe('chunk writer', () => {
  it('writes over no end, and no more than was announced', () => {
    const writer = new ChunkWriter(128).target(Buffer.alloc(20))
    expect(() => writer.begin(4, 8, 0, 1, 9)).toThrow(/does not fit/)
    writer.begin(4, 8, 0, 1, 8)
    expect(() => writer.put(Buffer.alloc(9))).toThrow(/announced/)
    expect(() => writer.begin(4, 8, 0, 1, 0)).toThrow(/missing/)
  })
})
