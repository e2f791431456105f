import { rescale, toMs } from '../media/clock.ts'
import type { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'
import { Alignment } from './alignment.ts'
import { Tally } from './tally.ts'
import { TrackBook } from './track-book.ts'
import { type ClockOffset, sourceUs, TrackClock, US_PER_S } from './track-clock.ts'

/** A source clock that went back, or further forward than the wall clock; the recording goes on without a hole. */
export interface Jump {
  readonly trackId: number
  /** Where in the recording. */
  readonly atMs: number
  /** How far the source's clock moved from one frame to the next; negative when it went back. */
  readonly byMs: number
}

/** What a timeline takes for normal. */
export interface TimelineOptions {
  /** A step further than this beyond what the wall clock explains is a jump, ms. */
  readonly jumpMs: number
  /** A monotonic wall clock, ms. `performance.now` by default. */
  readonly now?: () => number
  /** On that wall clock: when the common clock of a room's recordings began. With this recording by default. */
  readonly zeroAtMs?: number | undefined
}

/** When the frames of a beginning arrived, by the monotonic wall clock. */
export interface Arrival {
  /** The least of arrival less source time over all of them, ms. */
  readonly leastMs: number
  /** Since when their publisher is there, ms. */
  readonly sinceMs: number
}

/** How far a track may fall behind its own last frame by following the clock that another track jumped to, µs. */
const MAX_OVERLAP_US = US_PER_S
/** How long a restart waits for a keyframe before sound goes on alone, µs of media. */
const KEYFRAME_WAIT_US = 20 * US_PER_S
/** What rescaling between tracks may cost at a (re)start, µs: a frame this much too early is at the floor. */
const ROUNDING_US = 2000
/**
 * How much earlier than a (re)start a keyframe may lie that comes after it, µs. Encoders with B-frames begin the picture some
 * frames before the sound; where the sound was sent first, that keyframe is squeezed rather than lost with all that needs it.
 */
const EARLY_KEYFRAME_US = 100_000

/**
 * Lays the frames of all tracks onto one time that starts at 0, only grows, and has no holes but those of the source.
 *
 * All tracks share one offset to the source's clock. When the clock of one jumps, a new offset continues the recording where
 * it was; each other track goes on by the old one until it jumps as well, and then follows the same new one, so that picture
 * and sound stay together although they do not jump at the same frame.
 */
export class Timeline {
  readonly #jumpMs: number
  readonly #now: () => number
  readonly #tracks = new TrackBook()
  readonly #clocks = new Map<number, TrackClock>()
  /** The offsets that some track follows, newest last. */
  #offsets: ClockOffset[] = [{ us: 0 }]
  /** `closing`: waits for a keyframe and closes up the time; `keeping`: waits and keeps the time. */
  #waiting: 'closing' | 'keeping' | undefined
  #waitingSinceUs: number | undefined
  /** Frames of before the last (re)start lie before this and are not kept, µs of the recording. */
  #floorUs = 0
  #touchedAtMs: number
  #placedSinceTouch = false
  #hasBegun = false
  /** How this time lies on the clock that all recordings of a room share. */
  readonly alignment: Alignment
  readonly jumps = new Tally<Jump>()
  /** Frames moved by a tick or more because their time did not grow. */
  nudgedFrames = 0
  /** Frames left out: before the first keyframe, or before the common zero. */
  skippedFrames = 0

  constructor(options: TimelineOptions) {
    this.#jumpMs = options.jumpMs
    this.#now = options.now ?? (() => performance.now())
    this.#touchedAtMs = this.#now()
    this.alignment = new Alignment(options.zeroAtMs)
  }

  /** How far the recording has come, µs: where its next frame should begin. */
  get frontUs(): number {
    let front = this.#floorUs
    for (const clock of this.#clocks.values()) if (clock.placed) front = Math.max(front, clock.nextUs)
    return front
  }

  /**
   * The instant `us` of the source's clock is the common zero of its tracks. The first time it is the zero of the recording;
   * after a return it lies where the wall clock puts it, so that the hole stays as long as it was, but never before what
   * was recorded already. Returns that place, µs.
   */
  begin(us: number, arrival?: Arrival): number {
    const nowMs = this.#now()
    const atMs = arrival === undefined ? nowMs : Math.max(arrival.leastMs + us / 1000, arrival.sinceMs)
    let atUs = 0
    if (this.#hasBegun) {
      atUs = this.frontUs
      if (this.#waiting !== 'closing') atUs = Math.max(atUs, this.alignment.ownUs(atMs))
      this.#clocks.clear()
    }
    this.#hasBegun = true
    this.#waiting = undefined
    this.#touchedAtMs = nowMs
    this.alignment.begin(atUs, atMs, nowMs, arrival?.sinceMs)
    this.#continueAt(us, atUs)
    return atUs
  }

  /** The publisher has gone; another one may come, with a clock and tracks of its own. */
  leave(): void {
    this.#tracks.nextSession()
  }

  /** The track of the recording that `source` is. */
  trackOf(source: Track): Track {
    return this.#tracks.resolve(source)
  }

  /** Media is flowing: call after each batch of frames, so that a silence of the source is told from a jump of its clock. */
  touch(): void {
    if (!this.#placedSinceTouch) return
    this.#placedSinceTouch = false
    this.#touchedAtMs = this.#now()
    this.alignment.touch(this.#touchedAtMs)
  }

  /** The next keyframe follows what was recorded last, whatever time has passed. */
  closeUp(): void {
    this.#waiting = 'closing'
    this.#waitingSinceUs = undefined
  }

  /** What was recorded last goes on from now, although nobody publishes: what follows is a hole by the wall clock. */
  closeUpNow(): void {
    if (!this.#hasBegun) return
    const nowMs = this.#now()
    this.alignment.begin(this.frontUs, nowMs, nowMs)
  }

  /** Nothing is placed before the next keyframe; the time until there remains as a gap. */
  interrupt(): void {
    this.#waiting ??= 'keeping'
    this.#waitingSinceUs = undefined
  }

  /** `frame` at its time in the recording, sharing its block; undefined when it has no place there. */
  place(frame: Frame): Frame | undefined {
    let clock = this.#clocks.get(frame.track.id)
    if (clock === undefined) {
      clock = new TrackClock(
        frame.track,
        this.trackOf(frame.track),
        this.#offsets[this.#offsets.length - 1],
        this.#jumpMs,
      )
      this.#clocks.set(frame.track.id, clock)
    }
    if (this.#waiting !== undefined && !this.#restart(clock, frame)) return this.#skip()
    if (clock.track !== frame.track) {
      clock.track = frame.track
      clock.target = this.trackOf(frame.track)
      clock.open = false
    }
    if (!clock.open) {
      if (!frame.key) return this.#skip()
      clock.open = true
    }
    let dts = frame.dts + clock.shift
    const leap = this.#offsets.length > 1 ? clock.timescale : clock.jumpTicks
    if (!clock.placed || dts - clock.last > leap || clock.last - dts > clock.disorderTicks) {
      dts = this.#settle(clock, frame)
    }
    return clock.joined ? this.#put(clock, frame, dts, dts) : this.#join(clock, frame, dts)
  }

  /** The first frame of a track since the recording (re)started, unless it lies before that. */
  #join(clock: TrackClock, frame: Frame, dts: number): Frame | undefined {
    const earlyUs = this.#floorUs - rescale(dts, clock.timescale, US_PER_S)
    if (earlyUs > (clock.kind === 'video' ? EARLY_KEYFRAME_US : ROUNDING_US)) {
      clock.open = false
      return this.#skip()
    }
    if (earlyUs > ROUNDING_US) this.nudgedFrames++
    clock.joined = true
    return this.#put(clock, frame, dts, Math.max(dts, rescale(this.#floorUs, US_PER_S, clock.timescale)))
  }

  /** `dts`: where the frame belongs; `atDts`: where there is room for it. */
  #put(clock: TrackClock, frame: Frame, dts: number, atDts: number): Frame {
    let placed = atDts
    this.#placedSinceTouch = true
    const step = placed - clock.last
    if (!clock.placed) clock.placed = true
    else if (step <= 0) {
      placed = clock.last + 1
      this.nudgedFrames++
    } else if (step <= clock.timescale) clock.nominal = step
    clock.last = placed
    clock.lastSource = frame.dts
    if (this.alignment.isSettling) this.alignment.observe(clock.lastUs, this.#now())
    const isOwn = clock.target === frame.track
    if (placed === frame.dts && isOwn) return frame
    let pts = frame.pts + (dts - frame.dts)
    if (placed !== dts) pts = Math.max(pts, placed)
    return isOwn ? frame.at(placed, pts) : clock.translate(frame, placed, pts)
  }

  #skip(): undefined {
    this.skippedFrames++
    return undefined
  }

  /** Whether the recording (re)starts with `frame`. Without any video, or when none comes, sound will do. */
  #restart(clock: TrackClock, frame: Frame): boolean {
    const us = sourceUs(frame)
    if (frame.track.kind === 'audio') {
      this.#waitingSinceUs = Math.min(this.#waitingSinceUs ?? us, us)
      if (this.#hasVideo && us - this.#waitingSinceUs < KEYFRAME_WAIT_US) return false
    } else if (!frame.key) return false
    const how = this.#waiting
    this.#waiting = undefined
    if (how === 'closing') {
      const atUs = this.frontUs
      const nowMs = this.#now()
      this.alignment.begin(atUs, nowMs, nowMs)
      this.#continueAt(us, atUs)
    } else {
      for (const other of this.#clocks.values()) {
        other.open = false
        other.joined = false
      }
      const dts = this.#settle(clock, frame)
      this.#floorUs = rescale(dts, clock.timescale, US_PER_S)
    }
    return true
  }

  /** Whether picture was recorded lately: a camera that went away minutes ago is not waited for. */
  get #hasVideo(): boolean {
    const sinceUs = this.frontUs - KEYFRAME_WAIT_US
    for (const clock of this.#clocks.values()) {
      if (clock.kind === 'video' && clock.placed && clock.lastUs > sinceUs) return true
    }
    return false
  }

  /** From here on, the instant `us` of the source is the instant `atUs` of the recording, for all tracks. */
  #continueAt(us: number, atUs: number): void {
    const offset = { us: atUs - us }
    this.#offsets = [offset]
    this.#floorUs = atUs
    for (const clock of this.#clocks.values()) {
      clock.follow(offset)
      clock.open = false
      clock.joined = false
    }
  }

  /** The slow way: finds which offset explains `frame` best, or makes a new one. Returns its dts in the recording. */
  #settle(clock: TrackClock, frame: Frame): number {
    const us = sourceUs(frame)
    const silenceUs = (this.#now() - this.#touchedAtMs) * 1000
    const fromUs = clock.placed ? clock.lastUs : this.#floorUs - this.#jumpMs * 1000
    const toUs = this.frontUs + this.#jumpMs * 1000 + silenceUs
    const nextUs = clock.placed ? clock.nextUs : this.frontUs
    let best: ClockOffset | undefined
    for (const offset of this.#offsets) {
      const slackUs = offset === clock.offset ? rescale(clock.disorderTicks, clock.timescale, US_PER_S) : MAX_OVERLAP_US
      const atUs = us + offset.us
      if (atUs < fromUs - slackUs || atUs > toUs) continue
      if (best === undefined || Math.abs(atUs - nextUs) < Math.abs(us + best.us - nextUs)) best = offset
    }
    if (best === undefined) this.#heal(clock, frame, us)
    else if (best !== clock.offset) this.#follow(clock, best)
    return frame.dts + clock.shift
  }

  #follow(clock: TrackClock, offset: ClockOffset): void {
    clock.follow(offset)
    const inUse = new Set<ClockOffset>()
    for (const each of this.#clocks.values()) inUse.add(each.offset)
    this.#offsets = this.#offsets.filter((each) => inUse.has(each))
  }

  #heal(clock: TrackClock, frame: Frame, us: number): void {
    const atUs = this.frontUs
    const offset = { us: atUs - us }
    this.#offsets.push(offset)
    const nowMs = this.#now()
    this.alignment.begin(atUs, nowMs, nowMs)
    const by = clock.placed
      ? frame.dts - clock.lastSource
      : frame.dts + clock.shift - rescale(atUs, US_PER_S, clock.timescale)
    this.jumps.add({
      trackId: clock.track.id,
      atMs: toMs(atUs, US_PER_S),
      byMs: toMs(by, clock.timescale),
    })
    this.#follow(clock, offset)
  }
}
