import { describe, expect, it } from 'vitest'
import { bitrateText, bytesText, countText, plainText, timeText } from '../../src/cli/figures.ts'
import { textLine } from '../../src/cli/log.ts'

describe('figures', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [999_999, '1.00 MB'],
    [12_345_678, '12.3 MB'],
    [5e15, '5000.0 TB'],
  ])('%i bytes', (bytes, text) => expect(bytesText(bytes)).toBe(text))

  it.each([
    [0, '00:00:00.000'],
    [61_001, '00:01:01.001'],
    [360_000_000, '100:00:00.000'],
    [-5, '00:00:00.000'],
  ])('%i ms', (ms, text) => expect(timeText(ms)).toBe(text))

  it('rates and counts', () => {
    expect(bitrateText(2_500_000)).toBe('2.50 Mbit/s')
    expect(bitrateText(96_400)).toBe('96 kbit/s')
    expect(countText(1, 'file')).toBe('1 file')
    expect(countText(0, 'file')).toBe('0 files')
  })

  it('names from the network do nothing to a terminal', () => {
    expect(plainText('a\u001b[31mb\u202ec\n')).toBe('a\\u001b[31mb\\u202ec\\u000a')
  })
})

describe('a log line as text', () => {
  const line = (fields: object) =>
    textLine(JSON.stringify({ level: 30, time: '2026-11-21T14:00:52.000Z', msg: 'm', ...fields }))

  it('has time, level, message, and the rest as key=value', () => {
    expect(line({ room: 'live', bytes: 7, odd: 'a b' })).toMatch(
      /^\d\d:\d\d:52 info {2}m {2}room=live bytes=7 odd="a b"\n$/,
    )
  })

  it('tells errors by message and code, without a stack', () => {
    const text = line({ level: 50, err: { type: 'E', message: 'disk full', code: 'TD_DISK_FULL', stack: 'at x' } })
    expect(text).toContain('ERROR m  err="disk full (TD_DISK_FULL)"')
    expect(text).not.toContain('at x')
  })

  it('lets no name of a peer reach the terminal raw', () => {
    expect(line({ room: '\u001b[2J\nfake', msg: 'x\u0007' })).not.toMatch(/(?!\n$)\p{Cc}/u)
  })
})
