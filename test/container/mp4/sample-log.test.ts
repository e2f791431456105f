import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NumberColumn } from '../../../src/container/mp4/number-column.ts'
import { RunLog } from '../../../src/container/mp4/run-log.ts'
import { SampleLog } from '../../../src/container/mp4/sample-log.ts'
import { unzigzag, VarintLog, type VarintReader, zigzag } from '../../../src/container/mp4/varint-log.ts'

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

/** All values of some runs, which must be as long as they can be; with one more at the end, or without. Read `step` runs at a time. */
function expanded(log: RunLog, last?: number, step = 1000): number[] {
  const runs = log.reader(last)
  const values: number[] = []
  let before: number | undefined
  for (let left = last === undefined ? log.length : log.lengthWith(last); left > 0; left -= step) {
    const some = new Uint32Array(2 * Math.min(left, step))
    runs.fill(some)
    for (let i = 0; i < some.length; i += 2) {
      expect(some[i]).toBeGreaterThan(0)
      const value = some[i + 1] | 0
      expect(value).not.toBe(before)
      before = value
      for (let k = 0; k < some[i]; k++) values.push(value)
    }
  }
  return values
}

function columnOf(values: readonly number[]): NumberColumn {
  const column = new NumberColumn()
  for (const value of values) column.push(value)
  return column
}

function numbersIn(column: NumberColumn, step = 1000): number[] {
  const reader = column.reader()
  const numbers: number[] = []
  for (let left = column.length; left > 0; left -= step) {
    const some = new Uint32Array(Math.min(left, step))
    reader.fill(some)
    numbers.push(...some)
  }
  return numbers
}

test('numbers come back as they went in, however wide, in parts of any size', () => {
  const bits = fc.constantFrom(4, 8, 9, 16, 17, 32)
  const stretch = fc.tuple(bits, fc.nat(1500), fc.nat()).map(([most, count, seed]) => {
    return Array.from({ length: count }, (_, i) => ((seed + i) * 2654435761) % 2 ** ((i + seed) % 40 === 0 ? 32 : most))
  })
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 8 }), fc.integer({ min: 1, max: 5000 }), (stretches, step) => {
      const values = stretches.flat().map((value) => Math.floor(value))
      expect(numbersIn(columnOf(values), step)).toEqual(values)
    }),
    { numRuns: 50 },
  )
})

test('a number takes as many bytes as most of those before needed', () => {
  const bytesEach = (value: number) => columnOf(Array.from({ length: 200_000 }, () => value)).heldBytes / 200_000
  expect(bytesEach(200)).toBeLessThan(1.3)
  expect(bytesEach(60_000)).toBeLessThan(2.4)
  expect(bytesEach(70_000)).toBeLessThan(4.6)
  expect(bytesEach(-1)).toBeLessThan(4.6)
})

function taken(reader: VarintReader, count: number): number[] {
  return Array.from({ length: count }, () => reader.next())
}

test('runs come back as they went in, with one more value or without', () => {
  const few = fc.oneof(fc.nat(2), fc.integer({ min: -100_000, max: 100_000 }))
  fc.assert(
    fc.property(fc.array(few, { maxLength: 2000 }), few, (values, last) => {
      const log = new RunLog()
      for (const value of values) log.push(value)
      expect(expanded(log)).toEqual(values)
      expect(expanded(log, last, 3)).toEqual([...values, last])
      const length = (list: readonly number[]) => list.filter((value, i) => value !== list[i - 1]).length
      expect(log.length).toBe(length(values))
      expect(log.lengthWith(last)).toBe(length([...values, last]))
    }),
    { numRuns: 100 },
  )
})

test('zigzag goes there and back', () => {
  expect([0, -1, 1, -2, 2].map(zigzag)).toEqual([0, 1, 2, 3, 4])
  for (const value of [0, 1, -1, 2 ** 51, -(2 ** 51)]) expect(unzigzag(zigzag(value))).toBe(value)
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
        for (const [i, { delta, offset, key, size }] of list.entries()) {
          if (i > 0) dts += delta
          log.add(dts, dts + offset, key, size)
        }
        expect(log.firstDts).toBe(start)
        expect(log.lastDts).toBe(dts)
        expect(expanded(log.durations)).toEqual(list.slice(1).map(({ delta }) => delta))
        expect(expanded(log.offsets)).toEqual(list.map(({ offset }) => offset))
        expect(expanded(log.keys)).toEqual(list.map(({ key }) => (key ? 1 : 0)))
        expect(numbersIn(log.sizes)).toEqual(list.map(({ size }) => size))
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
    { offset: 5_000_000_000, count: 15, description: 1 },
    { offset: 6_000_000_000, count: 1, description: 2 },
    { offset: 1000, count: 400, description: 2 },
  ]
  for (const { offset, count, description } of chunks) log.chunk(offset, count, description)
  let offset = 0
  const offsets = taken(log.chunkSteps.reader(), log.chunkCount).map((step) => (offset += unzigzag(step)))
  expect(offsets).toEqual(chunks.map((chunk) => chunk.offset))
  expect(log.chunkShapeCount).toBe(3)
  expect(taken(log.chunkShapes.reader(), 9)).toEqual([0, 15, 1, 2, 1, 2, 1, 400, 2])
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
  expect(expanded(log.durations)).toEqual([0])
  expect(expanded(log.offsets)).toEqual([0, 60])
})
