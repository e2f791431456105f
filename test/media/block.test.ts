import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Arena } from '../../src/media/arena.ts'
import { BLOCK_BYTES, type Block, BlockPool } from '../../src/media/block.ts'
import { MisuseError } from '../../src/media/errors.ts'
import { SLAB_BYTES } from '../../src/media/slab.ts'

describe('Block', () => {
  it('is reused only after its last release', () => {
    const pool = new BlockPool()
    const block = pool.acquire()
    block.retain()
    block.release()
    expect(pool.usedBytes).toBe(BLOCK_BYTES)
    expect(pool.acquire().bytes.byteOffset).not.toBe(block.bytes.byteOffset)
    block.release()
    expect(pool.acquire().bytes.byteOffset).toBe(block.bytes.byteOffset)
  })

  it('refuses a release too many and a hold on the dead', () => {
    const block = new BlockPool().acquire()
    block.release()
    expect(() => block.release()).toThrow(MisuseError)
    expect(() => block.retain()).toThrow(MisuseError)
  })

  it('gives back its unused end, once, and the rest at its last release', () => {
    const pool = new BlockPool()
    const block = pool.acquire()
    block.bytes.fill(7)
    block.trim(BLOCK_BYTES / 2)
    block.trim(BLOCK_BYTES)
    expect(pool.usedBytes).toBe(BLOCK_BYTES / 2)
    pool.acquire(BLOCK_BYTES / 2).bytes.fill(9)
    expect(block.bytes.subarray(0, BLOCK_BYTES / 2).every((byte) => byte === 7)).toBe(true)
    block.release()
    expect(pool.usedBytes).toBe(BLOCK_BYTES / 2)
  })

  it('may be larger than a slab', () => {
    const block = new BlockPool().acquire(3 * SLAB_BYTES)
    expect(block.bytes.length).toBe(3 * SLAB_BYTES)
    block.release()
  })
})

describe('BlockPool', () => {
  it('gives nobody memory that another holds, and wastes little', () => {
    const step = fc.tuple(fc.integer({ min: 1, max: 300_000 }), fc.nat(40))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const pool = new BlockPool()
        const held: Block[] = []
        let heldBytes = 0
        let peakBytes = 0
        for (const [size, drop] of steps) {
          const block = pool.acquire(size)
          expect(block.bytes.length).toBeGreaterThanOrEqual(size)
          const [start, end] = [block.bytes.byteOffset, block.bytes.byteOffset + block.bytes.length]
          const overlaps = held.some(
            ({ bytes }) =>
              bytes.buffer === block.bytes.buffer && bytes.byteOffset < end && bytes.byteOffset + bytes.length > start,
          )
          expect(overlaps).toBe(false)
          held.push(block)
          heldBytes += block.bytes.length
          peakBytes = Math.max(peakBytes, heldBytes)
          if (drop < held.length) {
            const [dropped] = held.splice(drop, 1)
            heldBytes -= dropped.bytes.length
            dropped.release()
          }
          expect(pool.usedBytes).toBe(heldBytes)
        }
        expect(pool.sizeBytes).toBeLessThanOrEqual(1.5 * peakBytes + 4 * 1024 * 1024)
        for (const block of held) block.release()
        expect(pool.usedBytes).toBe(0)
      }),
      { numRuns: 100 },
    )
  })
})

describe('BlockPool over time', () => {
  afterEach(() => vi.useRealTimers())

  it('lets go of slabs that were not needed for a while, and only of those', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const pool = new BlockPool()
    const burst = (blocks: number) => {
      const held = Array.from({ length: blocks }, () => pool.acquire(SLAB_BYTES))
      for (const block of held) block.release()
    }
    vi.advanceTimersByTime(10_000)
    burst(8)
    for (let second = 0; second < 3; second++) {
      vi.advanceTimersByTime(1000)
      burst(8)
    }
    expect(pool.sizeBytes).toBe(8 * SLAB_BYTES)
    for (let second = 0; second < 6; second++) {
      vi.advanceTimersByTime(1000)
      burst(3)
    }
    expect(pool.sizeBytes).toBe(3 * SLAB_BYTES)
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
        expect(pool.usedBytes).toBe(0)
      }),
      { numRuns: 25 },
    )
  })
})
