import { describe, expect, it } from 'vitest'
import { type AmfValue, writeAmf0Values } from '../../src/container/flv/amf0.ts'
import { MalformedError } from '../../src/media/errors.ts'
import { splitAggregate } from '../../src/rtmp/aggregate.ts'
import { member, parseCommand, parseData, printable, writeCommand } from '../../src/rtmp/command.ts'
import { AddressRate, QuietLog } from '../../src/rtmp/connection-limits.ts'
import { appName, queryOf, splitQuery } from '../../src/rtmp/stream-name.ts'
import { parseRtmpUrl } from '../../src/rtmp/url.ts'
import { hex } from './collector.ts'

describe('commands', () => {
  it('come back as they were written', () => {
    const command = { name: 'publish', transactionId: 5, args: [null, 'test', 'live'] }
    expect(parseCommand(writeCommand(command))).toEqual(command)
  })

  it('may come in an AMF3 message: a format byte, AMF0, and AMF3 behind a marker', () => {
    const values: AmfValue[] = ['connect', 1, { app: 'live' }]
    const amf0 = Buffer.concat([Buffer.from([0]), writeAmf0Values(values)])
    expect(parseCommand(amf0)).toEqual({ name: 'connect', transactionId: 1, args: [{ app: 'live' }] })
    const withAmf3 = Buffer.concat([Buffer.from([0]), writeAmf0Values(['play', 2]), hex('11 01 11 06 09 74657374')])
    expect(parseCommand(withAmf3)).toEqual({ name: 'play', transactionId: 2, args: [null, 'test'] })
  })

  it('need a name, and a number if anything', () => {
    expect(parseCommand(writeAmf0Values(['x']))).toEqual({ name: 'x', transactionId: 0, args: [] })
    expect(() => parseCommand(writeAmf0Values([1, 2]))).toThrow(MalformedError)
    expect(() => parseCommand(writeAmf0Values(['x', 'y']))).toThrow(MalformedError)
    expect(() => parseCommand(hex('02 ffff 61'))).toThrow(MalformedError)
    expect(() => parseCommand(Buffer.alloc(0))).toThrow(MalformedError)
  })

  it('carry metadata with or without @setDataFrame', () => {
    for (const before of [[], ['@setDataFrame']]) {
      expect(parseData(writeAmf0Values([...before, 'onMetaData', { width: 1 }]))).toEqual(['onMetaData', { width: 1 }])
    }
  })

  it('have members only where they are the object`s own', () => {
    expect(member({ a: 1 }, 'a')).toBe(1)
    expect(member({}, 'constructor')).toBeUndefined()
    expect(member(null, 'a')).toBeUndefined()
  })

  it('are printed on one line', () => {
    expect(printable(`a\nb\u0000${'x'.repeat(300)}`)).toBe(`a?b?${'x'.repeat(124)}`)
  })
})

describe('aggregates', () => {
  const part = (type: number, timestamp: string, payload: string) =>
    Buffer.concat([Buffer.from([type]), hex(`00000${payload.length / 2} ${timestamp} 000000 ${payload} 0000000c`)])

  it('are split, and moved to the time of the whole', () => {
    const bytes = Buffer.concat([part(8, '0003e8 00', 'aa'), part(9, '0003f0 00', 'bbcc'), part(18, '0003f0 00', '')])
    const parts = [...splitAggregate(bytes, 5000)]
    expect(parts.map((p) => [p.type, p.timestampMs, p.payload.toString('hex')])).toEqual([
      [8, 5000, 'aa'],
      [9, 5008, 'bbcc'],
      [18, 5008, ''],
    ])
  })

  it('take the high byte of time from behind, and wrap', () => {
    const bytes = Buffer.concat([part(8, 'fffff0 ff', 'aa'), part(8, '000010 00', 'bb')])
    expect([...splitAggregate(bytes, 0xfffffff0)].map((p) => p.timestampMs)).toEqual([0xfffffff0, 0x10])
  })

  it('are refused when cut', () => {
    expect(() => [...splitAggregate(hex('08 000010 000000 00 000000 aa'), 0)]).toThrow(MalformedError)
  })
})

describe('names', () => {
  it('are freed of queries and slashes', () => {
    expect(splitQuery('test?a=b?c')).toEqual({ name: 'test', query: 'a=b?c' })
    expect(appName('/live/inst/?x=y')).toBe('live/inst')
  })

  it('have their query in the stream name, the app, or tcUrl, in this order', () => {
    expect(queryOf('a?token=1', 'live?token=2', 'rtmp://h/live?token=3').get('token')).toBe('1')
    expect(queryOf('a', 'live?token=2', 'rtmp://h/live?token=3').get('token')).toBe('2')
    expect(queryOf('a', 'live', 'rtmp://h/live?token=3').get('token')).toBe('3')
    expect(queryOf('a', 'live', 'rtmp://h/live').get('token')).toBeNull()
  })
})

describe('URLs', () => {
  it('are taken apart', () => {
    expect(parseRtmpUrl('rtmp://example.org/live/test?token=a%20b')).toEqual({
      secure: false,
      host: 'example.org',
      port: 1935,
      app: 'live',
      streamName: 'test?token=a%20b',
      tcUrl: 'rtmp://example.org/live',
    })
    expect(parseRtmpUrl('rtmps://[::1]:444/live/inst/a%20b')).toMatchObject({
      secure: true,
      host: '::1',
      port: 444,
      app: 'live/inst',
      streamName: 'a b',
      tcUrl: 'rtmps://[::1]:444/live/inst',
    })
    expect(parseRtmpUrl('rtmps://h/a/b').port).toBe(443)
  })

  it('are refused with the reason, without their token', () => {
    expect(() => parseRtmpUrl('http://h/live/x?token=secret')).toThrow(/http:\/\/ is not spoken/)
    expect(() => parseRtmpUrl('rtmp://h/x?token=secret')).toThrow(/rtmp:\/\/h\/x: app or stream name is missing/)
    expect(() => parseRtmpUrl('nonsense')).toThrow(/this is no URL/)
    expect(() => parseRtmpUrl('rtmp:///live/x')).toThrow(/the host is missing|no URL/)
  })
})

describe('limits', () => {
  it('refill an address with time, each for itself', () => {
    const rate = new AddressRate(2)
    for (let i = 0; i < 20; i++) expect(rate.take('a', 0)).toBe(true)
    expect(rate.take('a', 0)).toBe(false)
    expect(rate.take('b', 0)).toBe(true)
    expect(rate.take('a', 500)).toBe(true)
    expect(rate.take('a', 500)).toBe(false)
  })

  it('remember a bounded number of addresses', () => {
    const rate = new AddressRate(0.1)
    expect([rate.take('a', 0), rate.take('a', 0)]).toEqual([true, false])
    for (let i = 0; i < 10_000; i++) rate.take(`b${i}`, 1)
    expect(rate.take('a', 2)).toBe(true) // forgotten
  })

  it('turn a flood into a line now and then', () => {
    const lines: unknown[][] = []
    const log = new QuietLog((message, { code }, count) => lines.push([message, code, count]))
    for (let ms = 0; ms < 25_000; ms += 10) log.note('x', { code: 'A' }, ms)
    expect(lines.splice(0)).toEqual([
      ['x', 'A', 1],
      ['x', 'A', 1],
      ['x', 'A', 1],
      ['x', 'A', 997],
      ['x', 'A', 1000],
    ])
    log.tick(29_000)
    expect(lines).toEqual([])
    log.tick(30_000)
    expect(lines.splice(0)).toEqual([['x', 'A', 500]])
    log.tick(40_000)
    for (let i = 0; i < 5; i++) log.note('x', { code: 'A' }, 40_001)
    log.note('x', { code: 'B' }, 40_002)
    expect(lines.splice(0).map(([, code]) => code)).toEqual(['A', 'A', 'A', 'B'])
    log.close()
    expect(lines).toEqual([['x', 'A', 2]])
  })
})
