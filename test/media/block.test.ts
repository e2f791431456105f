import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena } from '../../src/media/arena.ts'
import { BLOCK_BYTES, type Block, BlockPool } from '../../src/media/block.ts'
import { MisuseError } from '../../src/media/errors.ts'

describe('Block', () => {
  it('is reused only after its last release', () => {
    const pool = new BlockPool()
    const block = pool.acquire()
    block.retain()
    block.release()
    expect(pool.idleBytes).toBe(0)
    block.release()
    expect(pool.idleBytes).toBe(BLOCK_BYTES)
    expect(pool.acquire()).toBe(block)
  })

  it('refuses a release too many and a hold on the dead', () => {
    const block = new BlockPool().acquire()
    block.release()
    expect(() => block.release()).toThrow(MisuseError)
    expect(() => block.retain()).toThrow(MisuseError)
  })

  it('comes in sizes of powers of two', () => {
    const pool = new BlockPool()
    expect(pool.acquire(1).bytes.length).toBe(BLOCK_BYTES)
    expect(pool.acquire(BLOCK_BYTES + 1).bytes.length).toBe(2 * BLOCK_BYTES)
    expect(pool.acquire(5_000_000).bytes.length).toBe(8 * 1024 * 1024)
  })
})

describe('Arena', () => {
  it('keeps every copy whole until it is released, whatever the sizes and the order of letting go', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 150_000 }), fc.nat(30)), { maxLength: 60 }), (plan) => {
        const pool = new BlockPool()
        const arena = new Arena(pool)
        const kept: { block: Block; view: Uint8Array; fill: number }[] = []
        plan.forEach(([size, drop], i) => {
          const fill = i & 255
          const block = arena.copy(new Uint8Array(size).fill(fill))
          kept.push({ block, view: block.bytes.subarray(arena.start, arena.start + size), fill })
          if (drop < kept.length && i % 2 === 1) kept.splice(drop, 1)[0].block.release()
          for (const { view, fill } of kept) expect(view.every((byte) => byte === fill)).toBe(true)
        })
        for (const { block } of kept) block.release()
        arena.close()
      }),
      { numRuns: 25 },
    )
  })
})
