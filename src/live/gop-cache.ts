import type { Block } from '../media/block.ts'
import { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'
import type { BudgetedCache, GopBudget } from './gop-budget.ts'

/** Media of one stream kept for late joiners, bytes: 4 s of 32 Mbit/s. Of a longer GOP none is kept. */
const MAX_GOP_BYTES = 16 * 1024 * 1024
/** The same in frames, for streams of tiny frames. */
const MAX_GOP_FRAMES = 4096
/** Numbers kept of each frame: dts, pts, where its data begins in its memory, their length, key or not, bytes of alpha. */
const STRIDE = 6

/**
 * The frames since the last keyframe of the leading video track, all tracks, in arrival order. Empty for audio-only streams,
 * and from the moment that a bound was reached until the next keyframe: who joins then waits for that.
 *
 * Frames are kept as numbers and made anew for each joiner. Kept as objects, they would outlive V8's nursery: of a hundred
 * streams, that is megabytes of garbage a second in the old heap, for joiners that never come.
 */
export class GopCache implements BudgetedCache {
  readonly #budget: GopBudget
  readonly #memories: (Block | Uint8Array | undefined)[] = []
  readonly #tracks: (Track | undefined)[] = []
  #numbers = new Float64Array(64 * STRIDE)
  #count = 0
  #bytes = 0
  #leadTrackId: number | undefined
  watched = false

  constructor(budget: GopBudget) {
    this.#budget = budget
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The frames kept, each lent for its turn. */
  *frames(): Generator<Frame, void, void> {
    for (let i = 0; i < this.#count; i++) {
      const [track, memory] = [this.#tracks[i], this.#memories[i]]
      if (track === undefined || memory === undefined) return
      const [dts, pts, start, length, key, alphaBytes] = this.#numbers.subarray(i * STRIDE, (i + 1) * STRIDE)
      const isBlock = !(memory instanceof Uint8Array)
      const bytes = isBlock ? memory.bytes : memory
      const data = new Uint8Array(bytes.buffer, bytes.byteOffset + start, length)
      yield new Frame(track, dts, pts, key === 1, data, isBlock ? memory : undefined, alphaBytes)
    }
  }

  push(frame: Frame): void {
    if (frame.track.kind === 'video' && frame.key) {
      this.#leadTrackId ??= frame.track.id
      if (frame.track.id === this.#leadTrackId) this.clear()
    } else if (this.#count === 0) return
    const size = frame.sizeBytes
    if (this.#bytes + size > MAX_GOP_BYTES || this.#count >= MAX_GOP_FRAMES) {
      this.clear()
      return
    }
    frame.retain()
    this.#keep(frame)
    this.#bytes += size
    this.#budget.grow(this, size)
  }

  clear(): void {
    if (this.#count === 0) return
    this.#budget.shrink(this, this.#bytes)
    for (let i = 0; i < this.#count; i++) {
      const memory = this.#memories[i]
      if (memory !== undefined && !(memory instanceof Uint8Array)) memory.release()
      this.#memories[i] = undefined
      this.#tracks[i] = undefined
    }
    this.#count = 0
    this.#bytes = 0
  }

  #keep({ track, dts, pts, key, data, block, alphaBytes }: Frame): void {
    const at = this.#count * STRIDE
    if (at === this.#numbers.length) {
      const larger = new Float64Array(at * 2)
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    const numbers = this.#numbers
    numbers[at] = dts
    numbers[at + 1] = pts
    numbers[at + 2] = block === undefined ? 0 : data.byteOffset - block.bytes.byteOffset
    numbers[at + 3] = data.length
    numbers[at + 4] = key ? 1 : 0
    numbers[at + 5] = alphaBytes
    this.#memories[this.#count] = block ?? data
    this.#tracks[this.#count] = track
    this.#count++
  }
}
