import type { LiveStream } from '../live/stream.ts'
import { type ChecklistLine, firstUnmet, type SourceReport } from '../media/source-report.ts'
import type { ExpectedVideo } from './format-choice.ts'
import { Tally, type TallyReport } from './tally.ts'

/** Losses of an earlier source that a report lists, the last of them; all are counted. */
const MAX_EARLIER_LOSSES = 10

/** Keeps what the sources of a recording said of themselves: the one that is there, and those before it. */
export class SourceBook {
  readonly #earlier = new Tally<SourceReport>()
  #stream: LiveStream | undefined
  #last: SourceReport | undefined
  /** Of a source that says nothing of itself, told by what came of it. */
  #seen: ChecklistLine | undefined = 'connected'

  /** A source is there; the one before it is history. */
  arrive(stream: LiveStream): void {
    const { current } = this
    if (current !== undefined) this.#earlier.add({ ...current, losses: current.losses.slice(-MAX_EARLIER_LOSSES) })
    this.#stream = stream
    this.#last = undefined
  }

  /** The source has gone, or is followed no longer: what it says now is what remains of it. */
  leave(): void {
    const stream = this.#stream
    if (stream === undefined) return
    this.#last = stream.publisher.report?.()
    this.#seen = seenUnmet(stream)
    this.#stream = undefined
  }

  /** What the present source, or the last one, says of itself; undefined for those that say nothing. */
  get current(): SourceReport | undefined {
    return this.#last ?? this.#stream?.publisher.report?.()
  }
  /** The sources before it, oldest first, with the last of what they lost. */
  get earlier(): TallyReport<SourceReport> {
    return this.#earlier.report()
  }
  /** The first line of the checklist that the last source did not meet; undefined when media flowed. */
  get unmet(): ChecklistLine | undefined {
    const { current } = this
    const line = current === undefined ? this.#unmetBySight : firstUnmet(current.checklist)
    return line === 'feedback_seen' ? undefined : line
  }

  /** Whether pictures may change size at any keyframe, as WebRTC's do with the bandwidth. */
  get resizes(): boolean {
    return this.#stream?.publisher.source === 'whip'
  }

  /** Whether pictures may come of the source that is there, beside those that have come. */
  get video(): ExpectedVideo {
    if (this.#stream?.tracks.some(({ kind }) => kind === 'video') === true) return 'flowing'
    const negotiated = this.current?.tracks.filter(({ kind }) => kind === 'video') ?? []
    if (negotiated.some(({ packets }) => packets > 0)) return 'flowing'
    return negotiated.length > 0 ? 'possible' : 'none'
  }

  /** Whether there is video that cannot be decoded yet: its keyframe has been asked for. */
  get awaitsVideo(): boolean {
    const { current } = this
    return (
      current?.tracks.some(({ kind, packets, keyframes }) => kind === 'video' && packets > 0 && keyframes === 0) ===
      true
    )
  }

  /** Media is missing: a keyframe now makes the hole short. */
  requestKeyframe(): void {
    this.#stream?.requestKeyframe()
  }

  get #unmetBySight(): ChecklistLine | undefined {
    return this.#stream === undefined ? this.#seen : seenUnmet(this.#stream)
  }
}

/** Whoever publishes is connected, and was let in. */
function seenUnmet({ tracks, stats }: LiveStream): ChecklistLine | undefined {
  if (tracks.length === 0) return 'tracks_published'
  const { videoFrames, audioFrames, keyframes } = stats.snapshot()
  if (videoFrames + audioFrames === 0) return 'first_rtp'
  return keyframes + audioFrames === 0 ? 'first_keyframe' : undefined
}
