import { Unwrap32 } from '../media/clock.ts'
import { ArrivalFloor } from './arrival-floor.ts'
import { Easing } from './easing.ts'
import type { ParticipantLine } from './participant-line.ts'
import { SenderTimeline } from './sender-timeline.ts'

/** A reference that differs by more from those before is no noise: the RTP clock or the wall clock was set. */
const STEP_MS = 500
/** Two of them agree when they differ by less. */
const AGREEMENT_MS = 100
/** A frame may come so much before its time, and after it, by what is known: else it is the time that is wrong. */
const MAX_EARLY_MS = 300
const MAX_LATE_MS = 1500
/** An RTP clock that runs ahead of arrival by so much was set. */
const AHEAD_MS = 3000
/** One that lies behind by so much stood still while its sender slept, unless packets come faster than in real time. */
const BEHIND_MS = 2500
/** The same of one that reports have tied to the wall clock: queues of some seconds are no sleep. */
const BEHIND_ANCHORED_MS = 5000
/** Frames come in decoding order; none goes back further. */
const BACK_MS = 1000
const MAX_ELAPSED_MS = 1000
/** Without a frame for so long an encoding rested. */
const REST_MS = 1000
/** Of all video over RTP: RFC 6184 §5.1 and its like. */
const VIDEO_CLOCK_HZ = 90_000
/** The delay that a new layer takes over from the others at most. */
const MAX_DELAY_MS = 500

/** What an encoding has to know of the others of its track. */
export interface Siblings {
  /** As in `TrackClock.delayMs`. */
  readonly delayMs: number
}

/**
 * The clock of one SSRC: a straight line from RTP time to the participant's time. Frames differ by exactly what their RTP times
 * differ by. Only when the line was off by more than 2 ms is it moved: by at most 300 millionths while it is off by no more than
 * 5 ms, else by at most a fiftieth. It jumps only where the RTP clock itself did.
 */
export class EncodingClock {
  readonly #participant: ParticipantLine
  readonly #siblings: Siblings
  readonly #ticksPerMs: number
  readonly #isSound: boolean
  readonly #unwrap = new Unwrap32()
  readonly #timeline = new SenderTimeline()
  readonly #floor = new ArrivalFloor()
  readonly #easing = new Easing()
  #epoch = 0
  /** Ticks to be added to the unwrapped RTP time; NaN before the first frame. */
  #line = Number.NaN
  #lastTicks = 0
  #lastArrivalMs = 0
  #highestTicks = 0
  /** How much later than their time its frames come at least, before reports have said so, ms. */
  #expectedDelayMs = 0
  /** Once it was placed by the sender's clock it does not go back to arrival. */
  #isReferenced = false
  /** For senders whose tracks have no common wall clock, ms. */
  #ownOffsetMs = 0
  #suspectOffsetMs = Number.NaN
  #behindSince: { readonly arrivalMs: number; readonly ticks: number } | undefined
  /** Times that the RTP clock was found to have been set. */
  resets = 0

  constructor(clockRateHz: number, participant: ParticipantLine, siblings: Siblings) {
    this.#ticksPerMs = clockRateHz / 1000
    this.#isSound = clockRateHz !== VIDEO_CLOCK_HZ
    this.#participant = participant
    this.#siblings = siblings
    this.#epoch = participant.epoch
  }

  /** The sender says which of its wall clock's times an RTP timestamp has: a sender report, or abs-capture-time of a packet. */
  reference(ntpMs: number, timestamp: number): void {
    if (ntpMs <= 0) return // a sender without a clock
    this.#keepEpoch()
    const mediaMs = this.#unwrapped(timestamp) / this.#ticksPerMs
    const errorMs = this.#timeline.isEmpty ? 0 : ntpMs - this.#timeline.at(mediaMs)
    if (Math.abs(errorMs) > STEP_MS) {
      this.#step(ntpMs, mediaMs)
      return
    }
    this.#suspectOffsetMs = Number.NaN
    this.#timeline.add(ntpMs, mediaMs)
  }

  /**
   * The participant's time of an RTP timestamp, in ticks of the track's clock rate; never below 0. Call in decoding order;
   * twice for the same timestamp does no harm.
   * @param arrivalMs `RtpPacket.arrivalMs` of (any of) its packets
   */
  timeOf(timestamp: number, arrivalMs: number): number {
    const ticks = this.#unwrap.next(timestamp)
    const atMs = this.#participant.atMs(arrivalMs)
    this.#keepEpoch()
    if (Number.isNaN(this.#line)) this.#begin(ticks, atMs, arrivalMs)
    else if (this.#isReset(ticks, atMs, arrivalMs)) this.#reset(ticks, atMs)
    this.#floor.add(atMs - (ticks + this.#line) / this.#ticksPerMs, arrivalMs)
    this.#follow(ticks, arrivalMs)
    this.#lastTicks = ticks
    this.#lastArrivalMs = arrivalMs
    if (ticks > this.#highestTicks) this.#highestTicks = ticks
    return Math.max(0, ticks + Math.round(this.#line))
  }

  /** When the last frame came, ms; 0 before the first. */
  get lastArrivalMs(): number {
    return this.#lastArrivalMs
  }

  /** How much faster the sender's RTP clock runs than its wall clock, in millionths. */
  get driftPpm(): number {
    return -1e6 * this.#timeline.slope
  }

  /** How long after their time its frames come at least, ms; NaN before the first. */
  get delayMs(): number {
    return this.#floor.valueMs
  }

  #begin(ticks: number, atMs: number, arrivalMs: number): void {
    this.#highestTicks = ticks
    this.#expectedDelayMs = Math.min(MAX_DELAY_MS, Math.max(0, this.#siblings.delayMs))
    this.#line = (atMs - this.#expectedDelayMs) * this.#ticksPerMs - ticks
    if (this.#timeline.isEmpty) return
    const targetMs = this.#targetMs(ticks, arrivalMs)
    if (this.#isPlausible(atMs - targetMs)) this.#line = targetMs * this.#ticksPerMs - ticks
  }

  /** Moves the line towards where it should be, as media time goes on. */
  #follow(ticks: number, arrivalMs: number): void {
    let errorMs = this.#floor.valueMs - this.#expectedDelayMs
    if (!this.#timeline.isEmpty) {
      const targetMs = this.#targetMs(ticks, arrivalMs)
      if (this.#ownOffsetMs === 0) this.#participant.observe(this.#timeline.at(ticks / this.#ticksPerMs), arrivalMs)
      errorMs = targetMs - (ticks + this.#line) / this.#ticksPerMs
    } else if (this.#isReferenced) return
    const elapsedMs = (ticks - this.#highestTicks) / this.#ticksPerMs
    // after a rest (of a simulcast layer) nobody sees a jump, and the other layers have gone on
    if (elapsedMs > REST_MS && !this.#timeline.isEmpty) this.#move(Math.max(errorMs, -elapsedMs / 2))
    else if (elapsedMs > 0) this.#move(this.#easing.step(errorMs, Math.min(MAX_ELAPSED_MS, elapsedMs)))
  }

  /** Where the sender's clock has this RTP time on the participant's line. The first reference of all anchors that. */
  #targetMs(ticks: number, arrivalMs: number): number {
    const ntpMs = this.#timeline.at(ticks / this.#ticksPerMs)
    const lineMs = (ticks + this.#line) / this.#ticksPerMs
    if (!this.#participant.isAnchored) {
      const delayMs = Number.isNaN(this.#floor.valueMs) ? 0 : this.#floor.valueMs
      this.#anchor(ntpMs, lineMs + delayMs, arrivalMs)
    }
    if (!this.#isReferenced) this.#join(ntpMs, lineMs, arrivalMs)
    return this.#participant.ofNtp(ntpMs) + this.#ownOffsetMs
  }

  /** The first reference: whether it fits the participant's wall clock, and whose place that takes. */
  #join(ntpMs: number, lineMs: number, arrivalMs: number): void {
    this.#isReferenced = true
    const sharedMs = this.#participant.ofNtp(ntpMs)
    if (!this.#isPlausible(this.#participant.atMs(arrivalMs) - sharedMs)) this.#ownOffsetMs = lineMs - sharedMs
    else {
      this.#ownOffsetMs = 0
      if (this.#isSound && this.#participant.yieldsToSound(arrivalMs)) this.#anchor(ntpMs, lineMs, arrivalMs)
    }
  }

  #anchor(ntpMs: number, atMs: number, nowMs: number): void {
    this.#participant.anchor(ntpMs, atMs, { nowMs, isSound: this.#isSound })
  }

  #move(byMs: number): void {
    if (byMs === 0) return
    this.#line += byMs * this.#ticksPerMs
    this.#floor.shift(-byMs)
  }

  #isPlausible(lateMs: number): boolean {
    return lateMs > -MAX_EARLY_MS && lateMs < MAX_LATE_MS
  }

  /** Whether the RTP clock was set, by how this frame comes. */
  #isReset(ticks: number, atMs: number, arrivalMs: number): boolean {
    const lateMs = atMs - (ticks + this.#line) / this.#ticksPerMs
    if (lateMs < -AHEAD_MS || (ticks - this.#highestTicks) / this.#ticksPerMs < -BACK_MS) return true
    if (lateMs < (this.#timeline.isEmpty ? BEHIND_MS : BEHIND_ANCHORED_MS)) {
      this.#behindSince = undefined
      return false
    }
    const since = (this.#behindSince ??= { arrivalMs, ticks })
    if (ticks <= since.ticks) return false
    // What was only held up comes in a burst, faster than in real time.
    return arrivalMs - since.arrivalMs > (ticks - since.ticks) / this.#ticksPerMs / 2
  }

  /** The line begins anew at this frame, where it came, and after all that was. */
  #reset(ticks: number, atMs: number): void {
    const highest = this.#highestTicks + this.#line
    this.resets++
    this.#behindSince = undefined
    this.#expectedDelayMs = Math.min(MAX_DELAY_MS, Math.max(0, this.#floor.valueMs))
    this.#line = Math.max((atMs - this.#expectedDelayMs) * this.#ticksPerMs, highest + 1) - ticks
    this.#highestTicks = ticks
    this.#floor.clear()
    this.#timeline.clear()
    this.#isReferenced = false
  }

  /** A reference that fits none before. One that would move frames back has to be confirmed by the next. */
  #step(ntpMs: number, mediaMs: number): void {
    const offsetMs = ntpMs - mediaMs
    const isConfirmed = Math.abs(offsetMs - this.#suspectOffsetMs) < AGREEMENT_MS
    const isLater = ntpMs > this.#timeline.at(mediaMs)
    const lastNtpMs = this.#lastTicks / this.#ticksPerMs + offsetMs
    const lateMs = this.#participant.atMs(this.#lastArrivalMs) - this.#participant.ofNtp(lastNtpMs)
    const hasFrames = !Number.isNaN(this.#line) && this.#ownOffsetMs === 0 && this.#participant.isAnchored
    const isRtpClock = hasFrames && this.#isPlausible(lateMs)
    this.#suspectOffsetMs = offsetMs
    if (!isConfirmed && !(isRtpClock && isLater)) return
    this.#suspectOffsetMs = Number.NaN
    this.#timeline.clear()
    this.#timeline.add(ntpMs, mediaMs)
    if (isRtpClock) {
      // By the wall clock frames come when they should: it was the RTP clock that was set, or stood still.
      const lineMs = (this.#lastTicks + this.#line) / this.#ticksPerMs
      this.#move(Math.max(0, this.#participant.ofNtp(lastNtpMs) - lineMs))
      return
    }
    // It was the wall clock that was set. Frames stay where they are.
    this.#ownOffsetMs = 0
    if (Number.isNaN(this.#line)) return
    this.#participant.wallClockSet(lastNtpMs, (this.#lastTicks + this.#line) / this.#ticksPerMs)
    this.#epoch = this.#participant.epoch
  }

  #keepEpoch(): void {
    if (this.#epoch === this.#participant.epoch) return
    this.#epoch = this.#participant.epoch
    this.#timeline.clear()
    this.#suspectOffsetMs = Number.NaN
  }

  /** As the next frame's would be. */
  #unwrapped(timestamp: number): number {
    if (Number.isNaN(this.#line)) return this.#unwrap.next(timestamp)
    return this.#lastTicks + ((timestamp - this.#lastTicks) | 0)
  }
}
