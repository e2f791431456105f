import { MisuseError } from './errors.ts'
import { PAGE_BYTES, SLAB_BYTES, Slab } from './slab.ts'

/** The usual block, bytes: about a fifth of a second of 2.5 Mbit/s, so that a hundred streams hold some 6 MB. */
export const BLOCK_BYTES = 64 * 1024
/** For headers and other small things, bytes. */
export const SMALL_BLOCK_BYTES = PAGE_BYTES
/** Slabs that nobody uses are kept up to this, bytes; what is over goes to the garbage collector. */
const MAX_IDLE_BYTES = 4 * 1024 * 1024

/**
 * A reused piece of memory that holds media while somebody needs it.
 *
 * Who acquires a block holds it; every further holder says `retain` and each says `release` once. With the last release
 * the memory is used for other media, so a view into it is dead from then on. A block never released is merely lost room.
 */
export class Block {
  readonly bytes: Buffer
  readonly #giveBack: ((block: Block) => void) | undefined
  readonly slab: Slab | undefined
  readonly firstPage: number
  #holders = 1

  constructor(bytes: Buffer, slab?: Slab, firstPage = 0, giveBack?: (block: Block) => void) {
    this.bytes = bytes
    this.slab = slab
    this.firstPage = firstPage
    this.#giveBack = giveBack
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
    if (--this.#holders === 0) this.#giveBack?.(this)
  }
}

/**
 * Where blocks come from: a few large slabs, so that resident memory is what is really held, at any media rate and any mix
 * of frame sizes, and neither malloc nor the garbage collector sees the traffic.
 */
export class BlockPool {
  /** The first ones are used first, so that the last ones run idle and can go. */
  #slabs: Slab[] = []
  readonly #giveBack = (block: Block) => this.#take(block)

  /** A block of at least `minBytes`, held once. Its content is whatever it was before. */
  acquire(minBytes = BLOCK_BYTES): Block {
    if (minBytes > SLAB_BYTES) return new Block(Buffer.allocUnsafeSlow(minBytes))
    const pages = Math.max(1, Math.ceil(minBytes / PAGE_BYTES))
    for (const slab of this.#slabs) {
      const first = slab.take(pages)
      if (first >= 0) return new Block(slab.bytes(first, pages), slab, first, this.#giveBack)
    }
    const slab = new Slab()
    this.#slabs.push(slab)
    const first = slab.take(pages)
    return new Block(slab.bytes(first, pages), slab, first, this.#giveBack)
  }

  /** Memory asked of the system, bytes; frames above 2 MiB are not counted. */
  get sizeBytes(): number {
    return this.#slabs.length * SLAB_BYTES
  }
  /** Of that in use, bytes. */
  get usedBytes(): number {
    return this.#slabs.reduce((used, slab) => used - slab.freePages * PAGE_BYTES, this.sizeBytes)
  }

  #take({ slab, firstPage, bytes }: Block): void {
    if (slab === undefined) return
    slab.give(firstPage, bytes.length / PAGE_BYTES)
    if (!slab.isIdle) return
    const idle = this.#slabs.filter((each) => each.isIdle).length
    if (idle * SLAB_BYTES > MAX_IDLE_BYTES) this.#slabs = this.#slabs.filter((each) => each !== slab)
  }
}

/** The pool of this process: one thread, one pool. */
export const blocks = new BlockPool()
