import { BLOCK_BYTES, type Block, type BlockPool, blocks } from './block.ts'

/**
 * Lays messages one behind the other into pooled blocks. The way in for all media: copied once, out of the read buffer.
 *
 * `reserve(n)` makes room; then `block` and `start` say where, and the block is retained once for whoever asked.
 */
export class Arena {
  readonly #pool: BlockPool
  #current: Block | undefined
  #used = 0
  /** Where the last `reserve` made room. */
  start = 0

  constructor(pool: BlockPool = blocks) {
    this.#pool = pool
  }

  /** Room for `sizeBytes` contiguous bytes at `this.start` of the block that is returned, retained for the caller. */
  reserve(sizeBytes: number): Block {
    if (sizeBytes > BLOCK_BYTES) {
      this.start = 0
      return this.#pool.acquire(sizeBytes)
    }
    let block = this.#current
    if (block === undefined || this.#used + sizeBytes > block.bytes.length) {
      this.#leave()
      block = this.#current = this.#pool.acquire()
      this.#used = 0
    }
    this.start = this.#used
    this.#used += sizeBytes
    block.retain()
    return block
  }

  /** Copies `bytes` in; the block is retained for the caller, the copy starts at `this.start`. */
  copy(bytes: Uint8Array): Block {
    const block = this.reserve(bytes.length)
    block.bytes.set(bytes, this.start)
    return block
  }

  /** Lets go of the block being filled. The arena may be used again afterwards. */
  close(): void {
    this.#leave()
    this.#current = undefined
    this.#used = 0
  }

  #leave(): void {
    this.#current?.trim(this.#used)
    this.#current?.release()
  }
}
