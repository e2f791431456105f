import { describe, expect, it } from 'vitest'
import { attack } from '../../fuzz/attack.ts'
import { allTargets } from '../../fuzz/targets.ts'

/** The short run of `npm run fuzz`: the committed corpus and some thousand fresh inputs. */
const RUNS = 5000
const targets = await allTargets()

describe('fuzzing', () => {
  it('covers every parser of bytes from outside', () => {
    expect(targets.length).toBeGreaterThanOrEqual(10)
    expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length)
  })

  it.each(targets)('$name neither crashes nor hangs nor eats memory', { timeout: 120_000 }, async (target) => {
    const finding = await attack(target, RUNS, 20_261_121)
    expect(finding?.reason).toBeUndefined()
  })
})
