import type { Frame } from '../media/frame.ts'
import type { BudgetedCache, GopBudget } from './gop-budget.ts'

/** Media of one stream kept for late joiners, bytes: 4 s of 32 Mbit/s. Of a longer GOP none is kept. */
const MAX_GOP_BYTES = 16 * 1024 * 1024
/** The same in frames, for streams of tiny frames. */
const MAX_GOP_FRAMES = 4096

/**
 * The frames since the last keyframe of the leading video track, all tracks, in arrival order. Empty for audio-only streams,
 * and from the moment that a bound was reached until the next keyframe: who joins then waits for that.
 */
export class GopCache implements BudgetedCache {
  readonly #budget: GopBudget
  #frames: Frame[] = []
  #bytes = 0
  #leadTrackId: number | undefined
  watched = false

  constructor(budget: GopBudget) {
    this.#budget = budget
  }

  get frames(): readonly Frame[] {
    return this.#frames
  }
  get bytes(): number {
    return this.#bytes
  }

  push(frame: Frame): void {
    if (frame.track.kind === 'video' && frame.key) {
      this.#leadTrackId ??= frame.track.id
      if (frame.track.id === this.#leadTrackId) this.clear()
    } else if (this.#frames.length === 0) return
    if (this.#bytes + frame.data.length > MAX_GOP_BYTES || this.#frames.length >= MAX_GOP_FRAMES) {
      this.clear()
      return
    }
    frame.retain()
    this.#frames.push(frame)
    this.#bytes += frame.data.length
    this.#budget.grow(this, frame.data.length)
  }

  clear(): void {
    if (this.#frames.length === 0) return
    this.#budget.shrink(this, this.#bytes)
    for (const frame of this.#frames) frame.release()
    this.#frames = []
    this.#bytes = 0
  }
}
