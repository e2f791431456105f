import type { AccessUnit } from '../rtp/access-unit.ts'
import { LayerSelector, type SelectedUnitSink } from '../rtp/layer-selector.ts'
import type { IncomingEncoding } from './incoming-encoding.ts'
import type { IncomingTrack } from './incoming-track.ts'

/** Beyond the jitter budget a layer that waits for a packet may be silent, ms. */
const PATIENCE_MARGIN_MS = 200

/** Layers of one picture have a clock each; these agree to some ms. */
const SAME_PICTURE_MS = 10

/** One track and the encodings that it is made of: one, or the layers of which the best is taken. */
export class TrackOutlet implements SelectedUnitSink {
  readonly track: IncomingTrack
  readonly encodings: readonly IncomingEncoding[]
  readonly #selector: LayerSelector | undefined

  /** @param jitterBudgetMs how long a lost packet is waited for */
  constructor(track: IncomingTrack, encodings: readonly IncomingEncoding[], jitterBudgetMs: number) {
    this.track = track
    this.encodings = encodings
    if (encodings.length > 1) {
      this.#selector = new LayerSelector(encodings.length, this, {
        patienceMs: jitterBudgetMs + PATIENCE_MARGIN_MS,
        samePictureTicks: (SAME_PICTURE_MS * track.format.clockRateHz) / 1000,
      })
    }
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
    if (unit.key && unit.width > 0) selector.size(layer, unit.width, unit.height)
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
}
