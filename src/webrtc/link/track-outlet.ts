import type { Frame } from '../../media/frame.ts'
import { FrameQueue } from '../../media/frame-queue.ts'
import type { Track } from '../../media/track.ts'
import type { QueueBounds } from './command.ts'
import type { LinkWriter } from './writer.ts'

/** What waits of a track takes no more than this, bytes. */
const MAX_QUEUE_BYTES = 16 * 1024 * 1024

/** Numbers of tracks on one link: a track in one configuration has one. */
export class TrackNumbers {
  #next = 1
  next(): number {
    return this.#next++
  }
}

/** The frames of one track on their way over the link: written at once, or kept in a bounded queue while nobody reads. */
export class TrackOutlet {
  readonly #session: number
  readonly #writer: LinkWriter
  readonly #numbers: TrackNumbers
  readonly #queue: FrameQueue
  #announced: Track | undefined
  #number = 0
  /** Beyond the bound of a message. */
  #oversized = 0

  constructor(session: number, kind: Track['kind'], writer: LinkWriter, numbers: TrackNumbers, bounds: QueueBounds) {
    this.#session = session
    this.#writer = writer
    this.#numbers = numbers
    const maxFrames = kind === 'video' ? bounds.videoFrames : bounds.audioFrames
    this.#queue = new FrameQueue({ maxBytes: MAX_QUEUE_BYTES, maxFrames })
  }

  get droppedFrames(): number {
    return this.#queue.droppedFrames + this.#oversized
  }

  /** A track that is known; its frames may be a while. */
  announce(track: Track): void {
    if (this.#queue.length === 0 && this.#announced !== track) this.#write(track)
  }

  /** False when frames were dropped, now. */
  frame(frame: Frame): boolean {
    const dropped = this.droppedFrames
    this.#queue.push(frame)
    while (!this.#writer.isFull && this.drainOne());
    return this.droppedFrames === dropped
  }

  /** Writes the oldest frame that waits; false when none does. */
  drainOne(): boolean {
    const frame = this.#queue.shift()
    if (frame === undefined) return false
    if (this.#announced !== frame.track) this.#write(frame.track)
    if (!this.#writer.frame(this.#session, this.#number, frame)) this.#oversized++
    frame.release()
    return true
  }

  clear(): void {
    this.#queue.clear()
  }

  #write(track: Track): void {
    this.#announced = track
    this.#number = this.#numbers.next()
    const config = Buffer.from(track.config).toString('base64')
    this.#writer.control({ op: 'track', session: this.#session, ref: this.#number, track: { ...track, config } })
  }
}
