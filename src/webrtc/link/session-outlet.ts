import type { Frame } from '../../media/frame.ts'
import type { ChecklistLine, MediaLoss } from '../../media/source-report.ts'
import type { Track } from '../../media/track.ts'
import type { PublishSink, SessionEnd, SessionFigures } from '../engine.ts'
import type { QueueBounds } from './command.ts'
import { type TrackNumbers, TrackOutlet } from './track-outlet.ts'
import type { LinkWriter } from './writer.ts'

/** Where an outlet asks for a keyframe after it had to drop frames, and says that it is over. */
export interface OutletOwner {
  requestKeyframe(trackId: number): void
  ended(): void
}

/** The media process's end of a session: everything it gives goes over the link. */
export class SessionOutlet implements PublishSink {
  readonly #session: number
  readonly #writer: LinkWriter
  readonly #numbers: TrackNumbers
  readonly #bounds: QueueBounds
  readonly #owner: OutletOwner
  readonly #tracks = new Map<number, TrackOutlet>()
  /** Those that could not be told. */
  #kept: SessionFigures | undefined

  constructor(session: number, writer: LinkWriter, numbers: TrackNumbers, bounds: QueueBounds, owner: OutletOwner) {
    this.#session = session
    this.#writer = writer
    this.#numbers = numbers
    this.#bounds = bounds
    this.#owner = owner
  }

  met(line: ChecklistLine): void {
    this.#writer.control({ op: 'met', session: this.#session, line })
  }

  track(track: Track): void {
    this.#outlet(track).announce(track)
  }

  frame(frame: Frame): void {
    const isWhole = this.#outlet(frame.track).frame(frame)
    if (!isWhole && frame.track.kind === 'video') this.#owner.requestKeyframe(frame.track.id)
  }

  /** Batches of all sessions are gathered into one, so this one's end is nothing. */
  flush(): void {}

  loss(loss: MediaLoss): void {
    this.#writer.control({ op: 'loss', session: this.#session, loss })
  }

  /** Kept while nobody reads: newer ones follow, or the end. */
  figures(figures: SessionFigures): void {
    this.#kept = this.#writer.isFull ? figures : undefined
    if (this.#kept === undefined) this.#tell(figures)
  }

  end(end: SessionEnd): void {
    while (this.drainOne());
    if (this.#kept !== undefined) this.#tell(this.#kept)
    this.#writer.control({ op: 'end', session: this.#session, end })
    this.#owner.ended()
  }

  /** Writes one frame of each track that has some waiting; false when none has. */
  drainOne(): boolean {
    let wrote = false
    for (const outlet of this.#tracks.values()) wrote = outlet.drainOne() || wrote
    return wrote
  }

  clear(): void {
    for (const outlet of this.#tracks.values()) outlet.clear()
  }

  #tell(figures: SessionFigures): void {
    const tracks = figures.tracks.map((track) => {
      const dropped = this.#tracks.get(track.trackId)?.droppedFrames ?? 0
      return dropped === 0 ? track : { ...track, droppedFrames: track.droppedFrames + dropped }
    })
    this.#writer.control({ op: 'figures', session: this.#session, figures: { ...figures, tracks } })
  }

  #outlet(track: Track): TrackOutlet {
    let outlet = this.#tracks.get(track.id)
    if (outlet === undefined) {
      outlet = new TrackOutlet(this.#session, track.kind, this.#writer, this.#numbers, this.#bounds)
      this.#tracks.set(track.id, outlet)
    }
    return outlet
  }
}
