import type { Frame } from './frame.ts'

/** Bounds of a queue; whichever is reached first counts. */
export interface FrameQueueBounds {
  readonly maxBytes: number
  readonly maxFrames: number
}

/**
 * Frames between somebody fast and somebody slow: first in, first out, each held while it waits.
 *
 * At a bound the oldest frames go, up to the next keyframe that waits, so that what comes out can always be decoded.
 * Where none waits, all go, and of each video track nothing enters before its next keyframe. Everything dropped is counted.
 */
export class FrameQueue {
  readonly #bounds: FrameQueueBounds
  #frames: Frame[] = []
  #head = 0
  /** Video tracks that lost a keyframe's successors: closed until the next keyframe. */
  readonly #gated = new Set<number>()
  bytes = 0
  droppedFrames = 0
  droppedBytes = 0

  constructor(bounds: FrameQueueBounds) {
    this.#bounds = bounds
  }

  get length(): number {
    return this.#frames.length - this.#head
  }

  /** Takes a hold of its own on `frame`. False when it was dropped, now, because its keyframe is gone. */
  push(frame: Frame): boolean {
    if (this.#gated.size > 0 && this.#gated.has(frame.track.id)) {
      if (!frame.key) {
        this.#count(frame)
        return false
      }
      this.#gated.delete(frame.track.id)
    }
    frame.retain()
    this.#frames.push(frame)
    this.bytes += frame.sizeBytes
    while (this.length > 1 && (this.bytes > this.#bounds.maxBytes || this.length > this.#bounds.maxFrames)) {
      this.#dropOldestGop()
    }
    return this.length > 0
  }

  /** The oldest frame; its hold passes to the caller, who releases it. */
  shift(): Frame | undefined {
    if (this.#head === this.#frames.length) return undefined
    const frame = this.#frames[this.#head++]
    this.bytes -= frame.sizeBytes
    if (this.#head === this.#frames.length) {
      this.#frames.length = 0
      this.#head = 0
    } else if (this.#head >= 1024) {
      this.#frames.splice(0, this.#head)
      this.#head = 0
    }
    return frame
  }

  /** Lets go of everything, without counting it as dropped. */
  clear(): void {
    for (let i = this.#head; i < this.#frames.length; i++) this.#frames[i].release()
    this.#frames = []
    this.#head = 0
    this.bytes = 0
    this.#gated.clear()
  }

  /** The start of the second GOP that waits; audio counts only where there is no video. */
  #nextGop(): number {
    const hasVideo = this.#frames.some((frame, i) => i >= this.#head && frame.track.kind === 'video')
    for (let i = this.#head + 1; i < this.#frames.length; i++) {
      const frame = this.#frames[i]
      if (frame.key && (frame.track.kind === 'video' || !hasVideo)) return i
    }
    return this.#frames.length
  }

  #dropOldestGop(): void {
    const end = this.#nextGop()
    const cut = new Set<number>()
    while (this.#head < end) {
      const frame = this.#frames[this.#head++]
      this.bytes -= frame.sizeBytes
      this.#count(frame)
      if (frame.track.kind === 'video') cut.add(frame.track.id)
      frame.release()
    }
    if (this.#head === this.#frames.length) {
      this.#frames = []
      this.#head = 0
      for (const id of cut) this.#gated.add(id)
      return
    }
    this.#gateTracksWithoutKeyframe(cut)
  }

  /** With several video tracks a cut at one's keyframe leaves the others in mid-GOP: theirs go up to their own keyframe. */
  #gateTracksWithoutKeyframe(cut: Set<number>): void {
    cut.delete(this.#frames[this.#head].track.id)
    if (cut.size === 0) return
    const kept: Frame[] = []
    for (let i = this.#head; i < this.#frames.length; i++) {
      const frame = this.#frames[i]
      if (cut.has(frame.track.id) && !frame.key) {
        this.bytes -= frame.sizeBytes
        this.#count(frame)
        frame.release()
        continue
      }
      cut.delete(frame.track.id)
      kept.push(frame)
    }
    for (const id of cut) this.#gated.add(id)
    this.#frames = kept
    this.#head = 0
  }

  #count(frame: Frame): void {
    this.droppedFrames++
    this.droppedBytes += frame.sizeBytes
  }
}
