/** From here on, time of a file and time of the recording's clock go together. */
export interface Anchor {
  readonly fileMs: number
  readonly recordingMs: number
}

/** How long the arrival of frames is watched after each (re)start, ms: long enough for one to come with hardly any delay. */
const SETTLE_MS = 3000
/** From one look at the drift of the source's clock to the next, ms. */
const PROBE_INTERVAL_MS = 60_000
/** What is believed of a clock's drift: more is a network that has become slower or faster. Quartz is good for 100 ppm. */
const MAX_DRIFT = 0.0002
/** Drift that is worth an anchor, ms. */
const DRIFT_MS = 20
/** Anchors that would move time by less say nothing, ms. */
const NOISE_MS = 5
/** Stretches that are kept: a clock that jumps with each frame must not fill the memory. */
const MAX_STRETCHES = 1000

/** A piece of a recording's own time that runs evenly with the wall clock. */
interface Stretch {
  /** Where it begins, µs of the recording's own time. */
  readonly fromUs: number
  /** What the wall clock showed, or would have shown, at own time 0. */
  leastMs: number
  /** The truth cannot be earlier. */
  readonly floorMs: number
}

/**
 * How the own time of a recording, which its files have, lies on the common clock of all recordings of a room.
 *
 * A frame arrives late by what the network, the encoder, a polled socket or a GOP cache held it back, and never early. So
 * the mapping is taken from the frame that was held back least: over what was gathered at a (re)start and three seconds after
 * it, the least of arrival less own time. The older frames of a burst from the GOP cache thereby do not count. It is not
 * earlier than the publisher itself, so that a file pushed faster than real time does not lie before its own beginning.
 *
 * Own time and wall clock run apart where a pause is closed up or a clock that jumped is healed; after a return they are
 * measured anew. Each is a stretch of its own, and an anchor in the files. So is the drift of the source's clock: the same
 * measurement is made again every minute, and followed as far as a clock can drift.
 */
export class Alignment {
  readonly #stretches: Stretch[] = []
  readonly #zeroAtMs: number | undefined
  #settlesAtMs = 0
  /** While drift is measured: the least of arrival less own time, ms. */
  #probeLeastMs: number | undefined
  #probedAtMs = 0
  /** What own time 0 was by the last measurement, ms of the wall clock. */
  #driftedMs = 0
  /** Frames are of interest to `observe`. */
  isSettling = false

  /** `zeroAtMs`: monotonic wall clock at which the common clock began; undefined: with this recording itself. */
  constructor(zeroAtMs?: number) {
    this.#zeroAtMs = zeroAtMs
  }

  /**
   * Begins a stretch: own time `fromUs` was at `atMs` of the monotonic wall clock, or somewhat before.
   * `floorMs`: but not before this; by default not before the present stretch has it.
   */
  begin(fromUs: number, atMs: number, nowMs: number, floorMs?: number): void {
    const ownMs = fromUs / 1000
    const last = this.#stretches.at(-1)
    const floor = floorMs === undefined ? (last?.leastMs ?? Number.NEGATIVE_INFINITY) : floorMs - ownMs
    this.#add({ fromUs, leastMs: Math.max(atMs - ownMs, floor), floorMs: floor })
    this.#probeLeastMs = undefined
    this.#settle(nowMs)
  }

  /** Media is flowing: now and then it is time to measure again. */
  touch(nowMs: number): void {
    if (this.isSettling || nowMs - this.#probedAtMs < PROBE_INTERVAL_MS) return
    this.#probeLeastMs = Number.POSITIVE_INFINITY
    this.#settle(nowMs)
  }

  /** A frame at `us` of own time is here. */
  observe(us: number, nowMs: number): void {
    const stretch = this.#stretches.at(-1)
    if (stretch === undefined) return
    if (nowMs > this.#settlesAtMs) {
      this.isSettling = false
      if (this.#probeLeastMs === undefined) this.#driftedMs = stretch.leastMs
      else this.#drift(stretch, us, this.#probeLeastMs, nowMs)
      this.#probedAtMs = nowMs
    } else if (this.#probeLeastMs === undefined) {
      stretch.leastMs = Math.min(stretch.leastMs, Math.max(nowMs - us / 1000, stretch.floorMs))
    } else this.#probeLeastMs = Math.min(this.#probeLeastMs, nowMs - us / 1000)
  }

  /** The own time, µs, that the monotonic wall clock `atMs` is by the present stretch. */
  ownUs(atMs: number): number {
    return Math.round((atMs - (this.#stretches.at(-1)?.leastMs ?? atMs)) * 1000)
  }

  /** Own time `us` on the recording's clock, ms. */
  recordingMs(us: number): number {
    return round(us / 1000 + this.#skewMs(this.#stretches.findLast(({ fromUs }) => fromUs <= us) ?? this.#stretches[0]))
  }

  /** Anchors of a file that holds own time from `fromUs` to `toUs`, ascending: the first at its beginning, further ones where something moves. */
  anchors(fromUs: number, toUs: number): Anchor[] {
    const anchors = [{ fileMs: 0, recordingMs: this.recordingMs(fromUs) }]
    let skewMs = anchors[0].recordingMs - fromUs / 1000
    for (const stretch of this.#stretches) {
      if (stretch.fromUs <= fromUs || stretch.fromUs > toUs) continue
      const nextMs = this.#skewMs(stretch)
      if (Math.abs(nextMs - skewMs) < NOISE_MS) continue
      skewMs = nextMs
      const fileMs = round((stretch.fromUs - fromUs) / 1000)
      if (fileMs === anchors.at(-1)?.fileMs) anchors.pop()
      anchors.push({ fileMs, recordingMs: round(stretch.fromUs / 1000 + nextMs) })
    }
    return anchors
  }

  #settle(nowMs: number): void {
    this.#settlesAtMs = nowMs + SETTLE_MS
    this.isSettling = true
  }

  #drift(stretch: Stretch, us: number, leastMs: number, nowMs: number): void {
    const boundMs = (nowMs - this.#probedAtMs) * MAX_DRIFT
    this.#driftedMs += Math.max(-boundMs, Math.min(boundMs, leastMs - this.#driftedMs))
    if (Math.abs(this.#driftedMs - stretch.leastMs) < DRIFT_MS) return
    this.#add({ fromUs: us, leastMs: this.#driftedMs, floorMs: Number.NEGATIVE_INFINITY })
  }

  #add(stretch: Stretch): void {
    if (this.#stretches.length >= MAX_STRETCHES) this.#stretches.pop()
    this.#stretches.push(stretch)
  }

  #skewMs(stretch: Stretch | undefined): number {
    if (stretch === undefined) return 0
    return stretch.leastMs - (this.#zeroAtMs ?? this.#stretches[0].leastMs)
  }
}

/** To a tenth of a millisecond. */
function round(ms: number): number {
  return Math.round(ms * 10) / 10
}
