import type { Frame } from '../media/frame.ts'

/** Media kept for late joiners, bytes: 4 s of 32 Mbit/s. A longer GOP is forgotten, and joiners wait for the next keyframe. */
const MAX_GOP_BYTES = 16 * 1024 * 1024
/** The same in frames, for streams of tiny frames. */
const MAX_GOP_FRAMES = 4096

/** The frames since the last keyframe of the leading video track, all tracks, in arrival order. Empty for audio-only streams. */
export class GopCache {
  #frames: Frame[] = []
  #bytes = 0
  #leadTrackId: number | undefined

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
  }

  clear(): void {
    for (const frame of this.#frames) frame.release()
    this.#frames = []
    this.#bytes = 0
  }
}
