import { MisuseError } from './errors.ts'
import { PAGE_BYTES, SLAB_BYTES, Slab } from './slab.ts'

/** The usual block, bytes: about a fifth of a second of 2.5 Mbit/s, so that a hundred streams hold some 6 MB. */
export const BLOCK_BYTES = 64 * 1024
/** For headers and other small things, bytes. */
export const SMALL_BLOCK_BYTES = 16 * 1024
/** A slab that nobody has used for so long goes to the garbage collector, ms. */
const TRIM_INTERVAL_MS = 2000

/**
 * A reused piece of memory that holds media while somebody needs it.
 *
 * Who acquires a block holds it; every further holder says `retain` and each says `release` once. With the last release
 * the memory is used for other media, so a view into it is dead from then on. A block never released is merely lost room.
 */
export class Block {
  readonly bytes: Buffer
  readonly #run: PageRun | undefined
  #holders = 1

  constructor(bytes: Buffer, run?: PageRun) {
    this.bytes = bytes
    this.#run = run
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
    if (--this.#holders === 0) this.#run?.shorten(0)
  }

  /** Gives back what lies behind the first `sizeBytes`: whoever fills the block will not need it. */
  trim(sizeBytes: number): void {
    this.#run?.shorten(Math.ceil(sizeBytes / PAGE_BYTES))
  }
}

/** The pages of one block. */
class PageRun {
  readonly #slab: Slab
  readonly #first: number
  #pages: number
  readonly #onIdle: () => void

  constructor(slab: Slab, first: number, pages: number, onIdle: () => void) {
    this.#slab = slab
    this.#first = first
    this.#pages = pages
    this.#onIdle = onIdle
  }

  shorten(pages: number): void {
    if (pages >= this.#pages) return
    this.#slab.give(this.#first + pages, this.#pages - pages)
    this.#pages = pages
    if (this.#slab.isIdle) this.#onIdle()
  }
}

/**
 * Where blocks come from: a few large slabs, so that resident memory is what is really held, at any media rate and any mix
 * of frame sizes, and neither malloc nor the garbage collector sees the traffic.
 */
export class BlockPool {
  /** The first ones are used first, so that the last ones run idle and can go. */
  #slabs: Slab[] = []
  #idleSlabs = 0
  /** The fewest idle slabs since `#trimmedAtMs`: so many were not needed. */
  #leastIdle = 0
  #trimmedAtMs = 0
  readonly #onIdle = () => this.#idled()

  /** A block of at least `minBytes`, held once. Its content is whatever it was before. */
  acquire(minBytes = BLOCK_BYTES): Block {
    if (minBytes > SLAB_BYTES) return new Block(Buffer.allocUnsafeSlow(minBytes))
    const pages = Math.max(1, Math.ceil(minBytes / PAGE_BYTES))
    for (const slab of this.#slabs) {
      const wasIdle = slab.isIdle
      const first = slab.take(pages)
      if (first < 0) continue
      if (wasIdle) this.#leastIdle = Math.min(this.#leastIdle, --this.#idleSlabs)
      return this.#block(slab, first, pages)
    }
    const slab = new Slab()
    this.#slabs.push(slab)
    return this.#block(slab, slab.take(pages), pages)
  }

  /** Memory asked of the system, bytes; frames above 2 MiB are not counted. */
  get sizeBytes(): number {
    return this.#slabs.length * SLAB_BYTES
  }
  /** Of that in use, bytes. */
  get usedBytes(): number {
    return this.#slabs.reduce((used, slab) => used - slab.freePages * PAGE_BYTES, this.sizeBytes)
  }

  #block(slab: Slab, first: number, pages: number): Block {
    return new Block(slab.bytes(first, pages), new PageRun(slab, first, pages, this.#onIdle))
  }

  #idled(): void {
    this.#idleSlabs++
    const nowMs = performance.now()
    if (nowMs - this.#trimmedAtMs >= TRIM_INTERVAL_MS) this.#trim(nowMs)
  }

  /** Lets go of the slabs that were idle all the time since the last trim. */
  #trim(nowMs: number): void {
    let surplus = this.#leastIdle
    for (let i = this.#slabs.length - 1; i >= 0 && surplus > 0; i--) {
      if (!this.#slabs[i].isIdle) continue
      this.#slabs.splice(i, 1)
      this.#idleSlabs--
      surplus--
    }
    this.#leastIdle = this.#idleSlabs
    this.#trimmedAtMs = nowMs
  }
}

/** The pool of this process: one thread, one pool. */
export const blocks = new BlockPool()
