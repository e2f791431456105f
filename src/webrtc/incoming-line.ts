import type { Arena } from '../media/arena.ts'
import type { MediaLoss, SourceTrackFigures } from '../media/source-report.ts'
import type { AccessUnit } from '../rtp/access-unit.ts'
import type { TrackClock } from '../rtp/media-clock.ts'
import type { LayerChoice, PublishSink } from './engine.ts'
import { type IncomingContext, IncomingEncoding, type IncomingEncodingSink } from './incoming-encoding.ts'
import { IncomingTrack } from './incoming-track.ts'
import type { ChosenFormat } from './sdp/codec-choice.ts'
import type { IncomingMedia } from './sdp/negotiation.ts'
import { trackFigures } from './track-figures.ts'
import { TrackOutlet } from './track-outlet.ts'

/** What the m-lines of a session share. */
export interface IncomingLineContext extends IncomingContext {
  readonly layers: LayerChoice
  readonly sink: Pick<PublishSink, 'track' | 'frame' | 'loss'>
  readonly arena: Arena
  /** The id of a track beyond the first of its m-line; undefined when there are as many as may be. */
  nextTrackId(): number | undefined
}

/** One m-line: its layers, and the tracks that come of them. */
export class IncomingLine implements IncomingEncodingSink {
  readonly media: IncomingMedia
  readonly encodings: readonly IncomingEncoding[]
  readonly #firstTrackId: number
  readonly #context: IncomingLineContext
  readonly #trackClocks = new Map<number, TrackClock>()
  readonly #outlets: TrackOutlet[] = []
  /** Of each encoding, the outlet that its last unit went to. */
  readonly #outletOf: (TrackOutlet | undefined)[] = []

  constructor(media: IncomingMedia, firstTrackId: number, context: IncomingLineContext) {
    this.media = media
    this.#firstTrackId = firstTrackId
    this.#context = context
    const layers = Math.max(1, media.rids.length)
    this.encodings = Array.from(
      { length: layers },
      (_, index) => new IncomingEncoding(media, index, context, this.#trackClocks, this),
    )
  }

  /** What came first of its kind lies furthest ahead: how long after their time its frames come at least, ms. */
  get delayMs(): number | undefined {
    const format = this.encodings.find(({ stream }) => stream?.format !== undefined)?.stream?.format
    return format === undefined ? undefined : this.#trackClocks.get(format.clockRateHz)?.delayMs
  }

  /** The encoding that is taken now: of the best layer, or the first that came. */
  get current(): IncomingEncoding | undefined {
    return this.#outlets.at(-1)?.current ?? this.encodings.find(({ stream }) => stream !== undefined)
  }

  get keyframes(): number {
    return this.#outlets.reduce((sum, { track }) => sum + track.keyframes, 0)
  }

  hasTrack(trackId: number): boolean {
    return this.#outlets.some(({ track }) => track.id === trackId)
  }

  unit(encoding: IncomingEncoding, format: ChosenFormat, unit: AccessUnit, pts: number): void {
    const known = this.#outletOf[encoding.index]
    if (known !== undefined && known.track.format.codec === format.codec) known.take(encoding, unit, pts)
    else this.#outlet(encoding, format)?.take(encoding, unit, pts)
  }

  /** Of a layer that is not taken nothing is lost. */
  loss(encoding: IncomingEncoding, loss: Omit<MediaLoss, 'trackId'>): void {
    const outlet = this.#outletOf[encoding.index]
    if (outlet?.current === encoding) this.#context.sink.loss({ trackId: outlet.track.id, ...loss })
  }

  requestKeyframe(nowMs: number): void {
    if (this.#outlets.length === 0) for (const encoding of this.encodings) encoding.requestKeyframe(nowMs)
    for (const { current } of this.#outlets) current?.requestKeyframe(nowMs)
  }

  tick(nowMs: number): void {
    for (const encoding of this.encodings) encoding.tick(nowMs)
    for (const outlet of this.#outlets) outlet.tick(nowMs)
  }

  /**
   * Of each track; of the m-line itself while there is none. What packets have to say counts for the newest track of an encoding, for
   * the first of all where it has none.
   */
  figures(): SourceTrackFigures[] {
    if (this.#outlets.length === 0) return [trackFigures(this.media, this.#firstTrackId, undefined, this.encodings)]
    const [first] = this.#outlets
    return this.#outlets.map((outlet) => {
      const own = this.encodings.filter(({ index }) => (this.#outletOf[index] ?? first) === outlet)
      return trackFigures(this.media, outlet.track.id, outlet, own)
    })
  }

  /** Gives out what is held. */
  finish(): void {
    for (const encoding of this.encodings) encoding.finish()
    for (const outlet of this.#outlets) outlet.finish()
  }

  #outlet(encoding: IncomingEncoding, format: ChosenFormat): TrackOutlet | undefined {
    const isLayerOfItsOwn = this.#context.layers === 'all' && encoding.rid !== undefined
    const found = this.#outlets.find(
      ({ track, encodings }) => track.format.codec === format.codec && encodings.includes(encoding),
    )
    const outlet = found ?? this.#open(format, isLayerOfItsOwn ? [encoding] : this.encodings, isLayerOfItsOwn)
    if (outlet !== undefined) this.#outletOf[encoding.index] = outlet
    return outlet
  }

  #open(format: ChosenFormat, encodings: readonly IncomingEncoding[], isLayer: boolean): TrackOutlet | undefined {
    const { sink, arena } = this.#context
    const { kind, label } = this.media
    const isFirst = encodings[0].index === 0 && this.#outlets.every(({ track }) => track.id !== this.#firstTrackId)
    const id = isFirst ? this.#firstTrackId : this.#context.nextTrackId()
    if (id === undefined) return undefined
    const track = new IncomingTrack({
      id,
      label: isLayer ? `${label} (${encodings[0].rid ?? ''})` : label,
      ...{ kind, format, sink, arena },
    })
    const outlet = new TrackOutlet(track, encodings, this.#context.jitterBudgetMs)
    this.#outlets.push(outlet)
    return outlet
  }
}
