import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SampleLog } from '../../../src/container/mp4/sample-log.ts'
import { VarintLog } from '../../../src/container/mp4/varint-log.ts'

test('integers come back as they went in, across pages', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(), fc.maxSafeNat(), fc.nat(300)), { maxLength: 3000 }), (values) => {
      const log = new VarintLog()
      for (const value of values) log.push(value)
      const reader = log.reader()
      expect(values.map(() => reader.next())).toEqual(values)
      expect(reader.next()).toBe(0)
    }),
    { numRuns: 50 },
  )
})

const sample = fc.record({
  delta: fc.oneof(fc.constant(33), fc.nat(100_000_000)),
  offset: fc.oneof(fc.constant(0), fc.integer({ min: -1_000_000, max: 1_000_000 })),
  key: fc.boolean(),
  size: fc.oneof(fc.nat(5000), fc.nat(0xffffffff)),
})

test('samples come back as they went in', () => {
  fc.assert(
    fc.property(
      fc.array(sample, { minLength: 1, maxLength: 500 }),
      fc.integer({ min: -5000, max: 5000 }),
      (list, start) => {
        const log = new SampleLog(1000)
        let dts = start
        const expected = list.map(({ delta, offset, key, size }, i) => {
          if (i > 0) dts += delta
          log.add(dts, dts + offset, key, size)
          return { dts, offset, key, size }
        })
        const cursor = log.samples()
        for (const { dts: at, offset, key, size } of expected) {
          expect(cursor.next()).toBe(true)
          expect(cursor).toMatchObject({ dts: at, offset, key, sizeBytes: size })
        }
        expect(cursor.next()).toBe(false)
        expect(log.maxReorder).toBe(Math.max(0, ...list.map(({ offset }) => -offset)))
      },
    ),
    { numRuns: 100 },
  )
})

test('chunks come back as they went in, whatever their order in the file', () => {
  const log = new SampleLog(1000)
  const chunks = [
    { offset: 48, count: 15, description: 1 },
    { offset: 5_000_000_000, count: 1, description: 2 },
    { offset: 1000, count: 400, description: 1 },
  ]
  for (const { offset, count, description } of chunks) log.chunk(offset, count, description)
  const cursor = log.chunks()
  for (const chunk of chunks) {
    expect(cursor.next()).toBe(true)
    expect(cursor).toMatchObject(chunk)
  }
  expect(cursor.next()).toBe(false)
})

test('half a day of video and sound takes some ten megabytes', () => {
  const picture = new SampleLog(1000)
  const offsets = [66, 133, 66, 0, 33]
  for (let i = 0; i < 12 * 3600 * 30; i++) {
    const dts = Math.round((i * 1000) / 30)
    picture.add(dts, dts + offsets[i % 5], i % 60 === 0, 9000 + ((i * 7919) % 5000))
  }
  const sound = new SampleLog(1000)
  for (let i = 0; i < 12 * 3600 * 43; i++) {
    const dts = Math.round((i * 1024) / 44.1)
    sound.add(dts, dts, true, 340 + (i % 7))
  }
  expect(picture.heldBytes + sound.heldBytes).toBeLessThan(14e6)
})

test('the last sample lasts as long as the one before, but not as long as a gap', () => {
  const log = new SampleLog(1000)
  log.add(0, 0, true, 1)
  expect(log.lastDuration).toBe(40)
  log.add(33, 33, true, 1)
  log.add(66, 66, true, 1)
  expect(log.lastDuration).toBe(33)
  log.add(9000, 9000, true, 1)
  expect(log.lastDuration).toBe(33)
})

test('a dts that runs backwards is taken as the one before it; the pts stays', () => {
  const log = new SampleLog(1000)
  log.add(100, 100, true, 1)
  log.add(60, 160, true, 1)
  const cursor = log.samples()
  cursor.next()
  cursor.next()
  expect(cursor).toMatchObject({ dts: 100, offset: 60 })
})
