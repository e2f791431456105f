import { ArrivalFloor } from './arrival-floor.ts'
import { Easing } from './easing.ts'

/** Where the first frame lies: what is placed before it must not come below 0. */
const LEAD_MS = 1000
/** So long after it was found the offset may be corrected quickly. */
const SETTLING_MS = 10_000
/** Later only as fast as quartz drifts: a network that has become slower for good moves nothing for minutes. */
const DRIFT_RATE = 2e-4
const MAX_ELAPSED_MS = 1000

/**
 * How one participant's wall clock lies on ours. Frames come late by what holds them up, never early: the least of arrival less
 * sender's time, over all its tracks, is the offset. All tracks share it, so it may be off a little without harm to their sync.
 */
export class ParticipantLine {
  readonly #floor = new ArrivalFloor()
  readonly #easing = new Easing()
  #startMs = Number.NaN
  #offsetMs = Number.NaN
  #foundAtMs = 0
  #isBySound = false
  #easedAtMs = 0
  /** Grows when the sender's wall clock was set: what was known of it before is void. */
  epoch = 0

  /** The participant's time at a moment of our clock, ms. The first call says when it began. */
  atMs(nowMs: number): number {
    if (Number.isNaN(this.#startMs)) this.#startMs = nowMs - LEAD_MS
    return nowMs - this.#startMs
  }

  /** Whether the sender's wall clock has a place yet. */
  get isAnchored(): boolean {
    return !Number.isNaN(this.#offsetMs)
  }

  /** The participant's time at a moment of the sender's wall clock, ms. */
  ofNtp(ntpMs: number): number {
    return ntpMs + this.#offsetMs
  }

  /**
   * Whether the first report of a sound may still place the sender's wall clock anew, after that of a picture has: it is the
   * picture then that is eased to the sound, where nobody notices.
   */
  yieldsToSound(nowMs: number): boolean {
    return !this.#isBySound && nowMs - this.#foundAtMs < SETTLING_MS
  }

  /** From now on `ntpMs` is `atMs`. */
  anchor(ntpMs: number, atMs: number, by: { nowMs: number; isSound: boolean }): void {
    this.#offsetMs = atMs - ntpMs
    this.#foundAtMs = this.#easedAtMs = by.nowMs
    this.#isBySound = by.isSound
    this.#floor.clear()
  }

  /** The sender's wall clock was set: `ntpMs` is now what was and stays `atMs`. What was known of it before is void. */
  wallClockSet(ntpMs: number, atMs: number): void {
    this.#offsetMs = atMs - ntpMs
    this.epoch++
  }

  /** A frame whose sender's time is known came. */
  observe(ntpMs: number, nowMs: number): void {
    this.#floor.add(this.atMs(nowMs) - this.ofNtp(ntpMs), nowMs)
    const elapsedMs = Math.min(MAX_ELAPSED_MS, nowMs - this.#easedAtMs)
    if (elapsedMs <= 0) return
    this.#easedAtMs = nowMs
    const isSettling = nowMs - this.#foundAtMs < SETTLING_MS
    const stepMs = this.#easing.step(this.#floor.valueMs, elapsedMs, isSettling ? undefined : DRIFT_RATE)
    if (stepMs === 0) return
    this.#offsetMs += stepMs
    this.#floor.shift(-stepMs)
  }
}
