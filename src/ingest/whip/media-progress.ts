import type { SourceLife } from '../../live/source-life.ts'
import type { Frame } from '../../media/frame.ts'

/** Frames of a track, from its keyframe on, that make it flow. */
const FLOWING_FRAMES = 2

/** Follows the first frames of a publisher, until all that its checklist wants of them is met. */
export class MediaProgress {
  readonly #life: SourceLife
  readonly #frames = new Map<number, number>()
  /** Frames come that can be decoded. */
  isFlowing = false
  /** Nothing is to be noted any more. */
  isDone = false

  constructor(life: SourceLife) {
    this.#life = life
  }

  /** `hasVideo`: video was negotiated, so that sound alone is no keyframe. */
  note({ track, key }: Frame, hasVideo: boolean): void {
    const isVideo = track.kind === 'video'
    const before = this.#frames.get(track.id) ?? 0
    if (before === 0 && !key) return
    this.#frames.set(track.id, before + 1)
    if (isVideo || !hasVideo) this.#life.meet('first_keyframe')
    if (before + 1 >= FLOWING_FRAMES) {
      this.isFlowing = true
      this.#life.meet('frames_flowing')
    }
    this.isDone = this.isFlowing && this.#life.isMet('first_keyframe')
  }
}
