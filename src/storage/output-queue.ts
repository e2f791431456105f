import { type Block, type BlockPool, blocks, SMALL_BLOCK_BYTES } from '../media/block.ts'

/** Up to here bytes are copied together; above, the block they lie in is held and written from in place. */
const COPY_BELOW_BYTES = 2048

/** One call to the system, in the order of the file's life. */
export type OutputOperation = WriteOperation | { kind: 'patch'; offset: number; bytes: Uint8Array } | { kind: 'sync' }

/** Pieces that lie one behind the other in the file from `offset`; `holds` are released once they are written. */
export interface WriteOperation {
  readonly kind: 'write'
  readonly offset: number
  readonly pieces: Uint8Array[]
  readonly holds: Block[]
  readonly sizeBytes: number
}

/** Gathers what a muxer writes into few large operations, without copying media. */
export class OutputQueue {
  readonly #pool: BlockPool
  #pieces: Uint8Array[] = []
  #holds: Block[] = []
  /** Of each piece: whether it is a copy of ours, and not media that others read as well. */
  #isCopy: boolean[] = []
  #gatheredBytes = 0
  /** Block for small pieces; `#runStart`…`#used` is not yet among the pieces. */
  #scratch: Block | undefined
  #runStart = 0
  #used = 0
  #operations: OutputOperation[] = []
  #queuedBytes = 0
  /** Offset at which the next byte lands. */
  position = 0

  constructor(pool: BlockPool = blocks) {
    this.#pool = pool
  }

  /** Gathered but not in an operation yet. */
  get gatheredBytes(): number {
    return this.#gatheredBytes
  }
  get backlogBytes(): number {
    return this.#gatheredBytes + this.#queuedBytes
  }
  get isEmpty(): boolean {
    return this.#operations.length === 0 && this.#gatheredBytes === 0
  }

  write(bytes: Uint8Array, block: Block | undefined): void {
    const size = bytes.length
    if (block === undefined || size <= COPY_BELOW_BYTES) this.#copy(bytes)
    else {
      this.#endRun()
      block.retain()
      this.#pieces.push(bytes)
      this.#isCopy.push(false)
      this.#holds.push(block)
    }
    this.position += size
    this.#gatheredBytes += size
  }

  /**
   * What has not gone off yet is changed in place: else every patch would make an operation of the little before it, which
   * holds a block each, and a writer of tiny units would hold far more memory than its backlog says.
   */
  patch(offset: number, bytes: Uint8Array): void {
    if (this.#amend(offset, bytes)) return
    this.seal()
    this.#operations.push({ kind: 'patch', offset, bytes: new Uint8Array(bytes) })
  }

  sync(): void {
    this.seal()
    this.#operations.push({ kind: 'sync' })
  }

  /** Makes one operation of what was gathered. */
  seal(): void {
    if (this.#gatheredBytes === 0) return
    this.#endRun()
    const sizeBytes = this.#gatheredBytes
    const offset = this.position - sizeBytes
    this.#operations.push({ kind: 'write', offset, pieces: this.#pieces, holds: this.#holds, sizeBytes })
    this.#queuedBytes += sizeBytes
    this.#gatheredBytes = 0
    this.#pieces = []
    this.#isCopy = []
    this.#holds = []
    this.#dropScratch()
  }

  /** The next operation to carry out. Its bytes count as backlog until `done`. */
  next(): OutputOperation | undefined {
    return this.#operations.shift()
  }

  done(operation: OutputOperation): void {
    if (operation.kind !== 'write') return
    this.#queuedBytes -= operation.sizeBytes
    for (const hold of operation.holds) hold.release()
  }

  /** Throws away everything that `next` has not given out. */
  clear(): void {
    this.seal()
    for (const operation of this.#operations) this.done(operation)
    this.#operations = []
  }

  /** False where the bytes are not gathered any more, or not all in one copy of ours. */
  #amend(offset: number, bytes: Uint8Array): boolean {
    let start = this.position - (this.#used - this.#runStart)
    if (this.#scratch !== undefined && offset >= start) {
      this.#scratch.bytes.set(bytes, this.#runStart + offset - start)
      return true
    }
    for (let i = this.#pieces.length - 1; i >= 0; i--) {
      const piece = this.#pieces[i]
      start -= piece.length
      if (offset < start) continue
      if (!this.#isCopy[i] || offset + bytes.length > start + piece.length) return false
      piece.set(bytes, offset - start)
      return true
    }
    return false
  }

  #copy(bytes: Uint8Array): void {
    let scratch = this.#scratch
    if (scratch === undefined || this.#used + bytes.length > scratch.bytes.length) {
      this.#endRun()
      this.#dropScratch()
      scratch = this.#scratch = this.#pool.acquire(Math.max(bytes.length, SMALL_BLOCK_BYTES))
    }
    if (bytes.length <= 32) {
      const to = scratch.bytes
      for (let i = 0, at = this.#used; i < bytes.length; i++) to[at++] = bytes[i]
    } else scratch.bytes.set(bytes, this.#used)
    this.#used += bytes.length
  }

  #endRun(): void {
    if (this.#scratch === undefined || this.#used === this.#runStart) return
    this.#scratch.retain()
    this.#pieces.push(this.#scratch.bytes.subarray(this.#runStart, this.#used))
    this.#isCopy.push(true)
    this.#holds.push(this.#scratch)
    this.#runStart = this.#used
  }

  #dropScratch(): void {
    this.#scratch?.release()
    this.#scratch = undefined
    this.#used = this.#runStart = 0
  }
}
