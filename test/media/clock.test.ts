import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromMs, rescale, toMs, Unwrap32 } from '../../src/media/clock.ts'

describe('rescale', () => {
  it('is exact against big integers for every safe tick count', () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        fc.integer({ min: 1, max: 1e9 }),
        fc.integer({ min: 1, max: 1e9 }),
        (ticks, from, to) => {
          const exact = (2n * BigInt(Math.abs(ticks)) * BigInt(to) + BigInt(from)) / (2n * BigInt(from))
          const expected = ticks < 0 ? -Number(exact) : Number(exact)
          expect(rescale(ticks, from, to) + 0).toBe(expected + 0)
        },
      ),
      { numRuns: 2000, examples: [[1108640052868201, 1, 5]] },
    )
  })

  it('does not drift: 12 hours of 44.1 kHz packets stay within half a millisecond of the truth', () => {
    for (let packet = 0; packet < 12 * 3600 * 43; packet += 997) {
      expect(Math.abs(toMs(packet * 1024, 44100) - (packet * 1024 * 1000) / 44100)).toBeLessThanOrEqual(0.5)
    }
    expect(fromMs(1001, 90000)).toBe(90090)
  })
})

describe('Unwrap32', () => {
  it('follows any walk of steps below 2^31, through wraps in both directions', () => {
    const steps = fc.array(fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), steps, (start, walk) => {
        const unwrap = new Unwrap32()
        let truth = start
        expect(unwrap.next(start)).toBe(start)
        for (const step of walk) {
          truth += step
          expect(unwrap.next(((truth % 2 ** 32) + 2 ** 32) % 2 ** 32)).toBe(truth)
        }
      }),
    )
  })
})
