/** A frame that its source gives again after the process that took it first was killed. */
export interface ReplayedFrame {
  readonly kind: 'video' | 'audio'
  /** When it is shown, by the clock of its source, ms. */
  readonly ms: number
  readonly sizeBytes: number
  /** SHA-1 of its media, base64. */
  readonly sha1: string
}

/** All that one source gives again, in the order in which it does: from a keyframe on, to the end of what had come. */
export type Replay = readonly ReplayedFrame[]
