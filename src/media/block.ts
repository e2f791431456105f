import { MisuseError } from './errors.ts'

/** Smallest block, bytes: about a fifth of a second of 2.5 Mbit/s, so that a hundred streams hold some 6 MB. */
export const BLOCK_BYTES = 64 * 1024
/** Idle blocks kept for reuse, bytes in all; what is over goes to the garbage collector. */
const MAX_IDLE_BYTES = 32 * 1024 * 1024

/**
 * A reused piece of memory that holds media while somebody needs it.
 *
 * Who acquires a block holds it; every further holder says `retain` and each says `release` once. With the last release
 * the memory is used for other media, so a view into it is dead from then on. A block never released is merely garbage.
 */
export class Block {
  readonly bytes: Buffer
  readonly #pool: BlockPool
  #holders = 1

  constructor(pool: BlockPool, bytes: Buffer) {
    this.#pool = pool
    this.bytes = bytes
  }

  get holders(): number {
    return this.#holders
  }

  retain(): void {
    if (this.#holders <= 0) throw new MisuseError('block: retained after its last release')
    this.#holders++
  }

  /** @throws MisuseError when nobody holds it: a second release of the same hold would give live media away */
  release(): void {
    if (this.#holders <= 0) throw new MisuseError('block: released more often than retained')
    if (--this.#holders === 0) this.#pool.reclaim(this)
  }

  /** For the pool alone: the first hold of a new life. */
  revive(): void {
    this.#holders = 1
  }
}

/** Blocks by size class (powers of two from `BLOCK_BYTES`), reused so that resident memory stays flat at any media rate. */
export class BlockPool {
  readonly #idle = new Map<number, Block[]>()
  #idleBytes = 0

  /** A block of at least `minBytes`, held once. Its content is whatever it was before. */
  acquire(minBytes = BLOCK_BYTES): Block {
    let size = BLOCK_BYTES
    while (size < minBytes) size *= 2
    const idle = this.#idle.get(size)?.pop()
    if (idle === undefined) return new Block(this, Buffer.allocUnsafeSlow(size))
    this.#idleBytes -= size
    idle.revive()
    return idle
  }

  /** For `Block.release` alone. */
  reclaim(block: Block): void {
    const size = block.bytes.length
    if (this.#idleBytes + size > MAX_IDLE_BYTES) return
    let list = this.#idle.get(size)
    if (list === undefined) this.#idle.set(size, (list = []))
    list.push(block)
    this.#idleBytes += size
  }

  get idleBytes(): number {
    return this.#idleBytes
  }
}

/** The pool of this process: one thread, one pool. */
export const blocks = new BlockPool()
