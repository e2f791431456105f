import type { AccessUnit } from './access-unit.ts'
import { HeldUnits } from './held-units.ts'
import { LayerState } from './layer-state.ts'

/** Where the units of the one track go. */
export interface SelectedUnitSink {
  /**
   * `pts` rises from one layer to the next. The first unit of a layer is key and has the layer's configuration, also when that is
   * the one the layer had before.
   */
  unit(layer: number, unit: AccessUnit, pts: number): void
  /** A keyframe of this layer would let the track move to it. Called at most once a second and layer. */
  keyframeNeeded(layer: number): void
}

/** How layers are selected. */
export interface LayerSelectorOptions {
  /** How long a layer may be silent and still go on, ms: longer than lost packets are waited for. Default 1200. */
  readonly patienceMs?: number
  /** Units of two layers that lie no further apart, in ticks of `pts`, are of one picture, of which one is given. Default 0. */
  readonly samePictureTicks?: number
}

const STALL_MS = 250 // one frame and one round trip for a keyframe more, and it is left within 500 ms of media
const MOVE_MS = 250 // for units of the layer that is left, which may come later than those of the better one
const HOLD_MS = 500 // of a lesser layer, while a keyframe of a better one is under way
const OVERTAKEN_MS = 50 // of a lesser layer, for a better one that may begin, or go on, with the same picture
const ASK_AGAIN_MS = 1000
const DEFAULT_PATIENCE_MS = 1200

/**
 * Makes one track out of the simulcast layers of a picture: of each moment one unit, of the best layer that flows.
 *
 * Layers are ordered by the size of their pictures, then by bitrate. The track moves to another layer at a key unit that is later
 * than all it has. A recording can wait, so units are held back where it is open which layer they are to come from:
 *
 * - for a moment, where there is a better layer: it may begin, or be back, with the picture that the lesser one has sent already;
 * - at the beginning, and while a better layer flows whose keyframe is asked for: those of the lesser one, for half a second;
 * - when the layer has been silent for 250 ms while another went on: a keyframe of the best other one is asked for, and its units
 *   from there on are held. They take the place of the missing ones when the layer comes back with a keyframe, or not within
 *   `patienceMs`; they are thrown away when it goes on where it was, because a packet had to be sent again.
 *
 * `nowMs` is any clock that does not run back. Units of each layer come in decoding order, with `pts` on one clock for all.
 */
export class LayerSelector {
  readonly #sink: SelectedUnitSink
  readonly #layers: readonly LayerState[]
  readonly #patienceMs: number
  readonly #samePictureTicks: number
  /** Of `#substitute` where there is one, else of the current layer. */
  readonly #held = new HeldUnits()
  #current: number | undefined
  #substitute: number | undefined
  /** The substitute is better: the track moves to it as soon as the current layer has come up to it. */
  #isMoving = false
  /** Since when another layer is ahead of the current one, ms. */
  #behindMs: number | undefined
  #startedMs = Number.POSITIVE_INFINITY
  /** Of the last unit that was given out. */
  #givenLayer: number | undefined
  #latestPts = Number.NEGATIVE_INFINITY

  /** `count`: layers that were negotiated, numbered from 0, in any order. */
  constructor(count: number, sink: SelectedUnitSink, options: LayerSelectorOptions = {}) {
    this.#sink = sink
    this.#layers = Array.from({ length: count }, () => new LayerState())
    this.#patienceMs = options.patienceMs ?? DEFAULT_PATIENCE_MS
    this.#samePictureTicks = options.samePictureTicks ?? 0
  }

  /** The layer that is taken now; undefined before the first. */
  get current(): number | undefined {
    return this.#current
  }

  /** The size of a layer's pictures; before the key unit that shows it is handed in. */
  size(layer: number, width: number, height: number): void {
    this.#layers[layer].pixels = width * height
  }

  /** A unit that a layer's gate let through. */
  unit(index: number, unit: AccessUnit, pts: number, nowMs: number): void {
    this.#layers[index].observe(unit, pts, nowMs)
    if (this.#current === undefined) this.#begin(index, unit, pts, nowMs)
    else if (index === this.#current) this.#goOn(unit, pts, nowMs)
    else if (index === this.#substitute) this.#hold(index, unit, pts, nowMs)
    else this.#consider(index, this.#current, unit, pts, nowMs)
    this.tick(nowMs)
  }

  /** Time passes. Every 20 to 100 ms. */
  tick(nowMs: number): void {
    if (this.#current === undefined) return
    const current = this.#layers[this.#current]
    if (this.#substitute !== undefined) {
      const sinceMs = this.#held.oldest?.sinceMs ?? nowMs
      if (this.#isMoving ? nowMs - sinceMs >= MOVE_MS : nowMs - current.seenMs > this.#patienceMs) {
        this.#settle(this.#substitute)
      }
    } else if (this.#isStalled(nowMs)) {
      const next = this.#bestOther(this.#current, nowMs)
      if (next !== undefined) this.#ask(next, nowMs)
    }
    this.#release(nowMs)
  }

  /** The end: what is held goes on. */
  finish(): void {
    this.#giveHeld(Number.POSITIVE_INFINITY)
  }

  #begin(index: number, unit: AccessUnit, pts: number, nowMs: number): void {
    if (!unit.key) {
      this.#ask(index, nowMs)
      return
    }
    this.#startedMs = nowMs
    this.#current = index
    this.#hold(index, unit, pts, nowMs)
  }

  /** A unit of the current layer. */
  #goOn(unit: AccessUnit, pts: number, nowMs: number): void {
    const index = this.#current ?? 0
    this.#behindMs = undefined
    if (this.#substitute !== undefined) {
      if (this.#isMoving) {
        if (pts < (this.#held.oldest?.pts ?? pts) - this.#samePictureTicks) this.#give(index, unit, pts)
        else this.#settle(this.#substitute)
        return
      }
      if (unit.key && this.#isLater(pts)) this.#moveTo(index, pts)
      else this.#settle(index)
    }
    if (this.#held.count > 0 || this.#holdMs(index, nowMs) > 0) this.#hold(index, unit, pts, nowMs)
    else this.#give(index, unit, pts)
  }

  /** A unit of a layer that is not taken. */
  #consider(index: number, currentIndex: number, unit: AccessUnit, pts: number, nowMs: number): void {
    const current = this.#layers[currentIndex]
    if (pts > current.lastPts) this.#behindMs ??= nowMs
    const isLater = unit.key && this.#isLater(pts)
    const best = this.#isMoving && this.#substitute !== undefined ? this.#layers[this.#substitute] : current
    if (this.#layers[index].isBetterThan(best)) {
      if (isLater) this.#moveUp(index, current, unit, pts, nowMs)
      else this.#ask(index, nowMs)
    } else if (isLater && pts > current.lastPts && this.#canSubstitute(index, currentIndex, nowMs)) {
      this.#giveHeld(pts)
      this.#held.clear()
      this.#substitute = index
      this.#hold(index, unit, pts, nowMs)
    }
  }

  /** To a better layer, whose key unit this is: at once where the current one has come so far, or has given nothing yet. */
  #moveUp(index: number, current: LayerState, unit: AccessUnit, pts: number, nowMs: number): void {
    const mayComeLater =
      this.#givenLayer !== undefined && current.lastPts < pts - this.#samePictureTicks && current.isFlowing(nowMs)
    if (mayComeLater && this.#substitute === undefined) {
      this.#giveHeld(pts)
      this.#held.clear()
      this.#substitute = index
      this.#isMoving = true
    } else this.#moveTo(index, pts)
    if (this.#substitute !== undefined || this.#holdMs(index, nowMs) > 0) this.#hold(index, unit, pts, nowMs)
    else this.#give(index, unit, pts)
  }

  #canSubstitute(index: number, current: number, nowMs: number): boolean {
    return this.#substitute === undefined && this.#isStalled(nowMs) && this.#bestOther(current, nowMs) === index
  }

  /** The track goes on with a key unit of this layer at `pts`: what is held fills the time before it. */
  #moveTo(index: number, pts: number): void {
    const isBeginning = this.#givenLayer === undefined
    if (!isBeginning) this.#giveHeld(pts)
    this.#settle(index)
    this.#held.clear()
  }

  /** This is the current layer; what is held stays only if it is of it. */
  #settle(index: number): void {
    if ((this.#substitute ?? this.#current) !== index) this.#held.clear()
    this.#current = index
    this.#substitute = undefined
    this.#isMoving = false
    this.#behindMs = undefined
  }

  #isStalled(nowMs: number): boolean {
    return this.#behindMs !== undefined && nowMs - this.#behindMs >= STALL_MS
  }

  /** Later than all that was given, and not the same picture. */
  #isLater(pts: number): boolean {
    return pts > this.#latestPts + this.#samePictureTicks
  }

  /** How long units of this layer may yet be replaced by those of a better one. */
  #holdMs(index: number, nowMs: number): number {
    const layer = this.#layers[index]
    const isBeginning = nowMs - this.#startedMs < HOLD_MS
    let holdMs = 0
    for (const other of this.#layers) {
      if (other === layer) continue
      if ((isBeginning && other.pixels === 0) || (other.isBetterThan(layer) && other.isFlowing(nowMs))) return HOLD_MS
      if (other.pixels > layer.pixels) holdMs = OVERTAKEN_MS
    }
    return holdMs
  }

  /** Of the layers that went on where this one has stopped. */
  #bestOther(index: number, nowMs: number): number | undefined {
    const { lastPts } = this.#layers[index]
    let best: number | undefined
    for (const [i, layer] of this.#layers.entries()) {
      if (i === index || layer.lastPts <= lastPts || !layer.isFlowing(nowMs)) continue
      if (best === undefined || layer.isBetterThan(this.#layers[best])) best = i
    }
    return best
  }

  #ask(index: number, nowMs: number): void {
    const layer = this.#layers[index]
    if (nowMs - layer.askedMs < ASK_AGAIN_MS) return
    layer.askedMs = nowMs
    this.#sink.keyframeNeeded(index)
  }

  #hold(index: number, unit: AccessUnit, pts: number, nowMs: number): void {
    if (this.#held.push(unit, pts, nowMs)) return
    this.#settle(index)
    this.#giveHeld(Number.POSITIVE_INFINITY)
    this.#give(index, unit, pts)
  }

  /** Held units of the current layer go on as soon as nothing better is awaited, or after a while. */
  #release(nowMs: number): void {
    if (this.#current === undefined || this.#substitute !== undefined || this.#held.count === 0) return
    const holdMs = this.#holdMs(this.#current, nowMs)
    for (let next = this.#held.oldest; next !== undefined && nowMs - next.sinceMs >= holdMs; next = this.#held.oldest) {
      this.#giveOldest(this.#current)
    }
  }

  /** Gives out what is held up to the first unit that is shown at `beforePts` or later. */
  #giveHeld(beforePts: number): void {
    const index = this.#substitute ?? this.#current
    if (index === undefined) return
    const before = beforePts - this.#samePictureTicks
    for (let next = this.#held.oldest; next !== undefined && next.pts < before; next = this.#held.oldest) {
      this.#giveOldest(index)
    }
  }

  #giveOldest(index: number): void {
    const held = this.#held.shift()
    if (held !== undefined) this.#give(index, held.unit, held.pts)
  }

  #give(index: number, unit: AccessUnit, pts: number): void {
    if (pts > this.#latestPts) this.#latestPts = pts
    if (index === this.#givenLayer) {
      this.#sink.unit(index, unit, pts)
      return
    }
    this.#givenLayer = index
    this.#sink.unit(index, { ...unit, config: this.#layers[index].config }, pts)
  }
}
