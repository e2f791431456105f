import { describeTrack, refineTrack } from '../codec/track.ts'
import { TapedeckError } from '../media/errors.ts'
import type { Track } from '../media/track.ts'
import type { AccessUnit } from '../rtp/access-unit.ts'
import { LayerSelector, type SelectedUnitSink } from '../rtp/layer-selector.ts'
import type { IncomingEncoding } from './incoming-encoding.ts'
import type { IncomingTrack } from './incoming-track.ts'

/** One track and the encodings that it is made of: one, or the layers of which the best is taken. */
export class TrackOutlet implements SelectedUnitSink {
  readonly track: IncomingTrack
  readonly encodings: readonly IncomingEncoding[]
  readonly #selector: LayerSelector | undefined
  /** What each layer is now; only its size is used. */
  readonly #shapes: (Track | undefined)[] = []

  constructor(track: IncomingTrack, encodings: readonly IncomingEncoding[]) {
    this.track = track
    this.encodings = encodings
    if (encodings.length > 1) this.#selector = new LayerSelector(encodings.length, this)
  }

  /** The encoding that is taken now; undefined while it is none. */
  get current(): IncomingEncoding | undefined {
    if (this.#selector === undefined) return this.encodings[0]
    return this.#selector.current === undefined ? undefined : this.encodings[this.#selector.current]
  }

  /** A unit of one of the encodings. */
  take(encoding: IncomingEncoding, unit: AccessUnit, pts: number): void {
    const selector = this.#selector
    if (selector === undefined) {
      this.track.write(unit, pts)
      return
    }
    const layer = this.encodings.indexOf(encoding)
    if (unit.key) this.#measure(selector, layer, unit)
    selector.unit(layer, unit, pts, performance.now())
  }

  /** For the selector. */
  unit(_layer: number, unit: AccessUnit, pts: number): void {
    this.track.write(unit, pts)
  }

  /** For the selector. */
  keyframeNeeded(layer: number): void {
    this.encodings[layer].requestKeyframe(performance.now())
  }

  tick(nowMs: number): void {
    this.#selector?.tick(nowMs)
  }

  /** Gives out what is held. */
  finish(): void {
    this.#selector?.finish()
  }

  #measure(selector: LayerSelector, layer: number, unit: AccessUnit): void {
    const { codec, clockRateHz } = this.track.format
    try {
      const known = this.#shapes[layer]
      const described =
        known === undefined || unit.config !== undefined
          ? describeTrack({ id: 1, epoch: 0, timescale: clockRateHz, codec, config: unit.config ?? new Uint8Array() })
          : known
      const shape = refineTrack(described, unit.data)
      this.#shapes[layer] = shape
      if (shape.kind === 'video') selector.size(layer, shape.width, shape.height)
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error // the track says it when it is written
    }
  }
}
