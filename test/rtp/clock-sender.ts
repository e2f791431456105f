import { random } from '../../fuzz/mutate.ts'
import { type EncodingClock, MediaClock, type TrackClock } from '../../src/rtp/media-clock.ts'

/** The sender's wall clock at the start of our own, ms since 1900. */
export const NTP_MS = 3_900_000_000_000
export const START_MS = 5000

type StreamOptions = {
  rateHz: number
  /** Between frames, ms of the sender's wall clock. */
  everyMs: number
  /** Of the RTP clock against the sender's wall clock. */
  driftPpm?: number
  /** From capture to sending. */
  delayMs?: number
  reportEveryMs?: number
  firstReportMs?: number
  randomStart?: number
}

/** What came out for one frame: when it was captured in truth (ms of our clock), where it was put (ms). */
type Placed = { trueMs: number; placedMs: number; ticks: number; rtp: number }

/** A sender with streams, and a network that holds frames up, on a virtual clock. */
export class Sender {
  readonly clock = new MediaClock()
  readonly #pick: (below: number) => number
  readonly jitterMs: number
  /** Of the sender's wall clock against ours. */
  wallPpm = 0
  readonly #streams: Stream[] = []

  constructor(seed: number, jitterMs: number) {
    this.#pick = random(seed)
    this.jitterMs = jitterMs
  }

  stream(options: StreamOptions, track?: TrackClock): Stream {
    const owner = track ?? this.clock.track(options.rateHz)
    const stream = new Stream(options, owner, owner.encoding())
    this.#streams.push(stream)
    return stream
  }

  /** From `fromMs` to `toMs` of our clock. */
  run(fromMs: number, toMs: number): void {
    const events: { atMs: number; act: () => void }[] = []
    for (const stream of this.#streams) {
      if (stream.isPaused) continue
      let last = 0
      for (
        let at = Math.ceil(fromMs / stream.options.everyMs) * stream.options.everyMs;
        at < toMs;
        at += stream.options.everyMs
      ) {
        const captured = at
        const delayMs = (stream.options.delayMs ?? 0) + 20 + this.#heldUp()
        const arrival = Math.max(captured + delayMs, last) // the receiver puts them in order
        last = arrival
        events.push({ atMs: arrival, act: () => stream.frame(captured, START_MS + arrival, this.wallPpm) })
      }
      const every = stream.options.reportEveryMs ?? 1000
      for (let at = (stream.options.firstReportMs ?? 500) + every * Math.ceil(fromMs / every); at < toMs; at += every) {
        const sent = at
        events.push({
          atMs: sent + 20 + this.#heldUp(),
          act: () => stream.report(sent, this.wallPpm, this.#pick(200) / 100 - 1),
        })
      }
    }
    events.sort((a, b) => a.atMs - b.atMs)
    for (const event of events) event.act()
  }

  /** Mostly little, at times much. */
  #heldUp(): number {
    return this.jitterMs === 0 ? 0 : (this.#pick(1000) / 1000) ** 3 * this.jitterMs
  }
}

class Stream {
  readonly options: StreamOptions
  readonly track: TrackClock
  readonly clock: EncodingClock
  readonly placed: Placed[] = []
  isPaused = false
  reports = true
  /** Added to RTP time: what a restart or a sleep does to it, ms. */
  shiftMs = 0
  /** Added to the wall clock that reports tell of, ms. */
  wallShiftMs = 0

  constructor(options: StreamOptions, track: TrackClock, clock: EncodingClock) {
    this.options = options
    this.track = track
    this.clock = clock
  }

  rtp(capturedMs: number): number {
    const ms = capturedMs * (1 + (this.options.driftPpm ?? 0) / 1e6) + this.shiftMs
    return (
      ((((this.options.randomStart ?? 0) + Math.round((ms * this.options.rateHz) / 1000)) % 2 ** 32) + 2 ** 32) %
      2 ** 32
    )
  }

  frame(capturedMs: number, arrivalMs: number, wallPpm: number): void {
    const rtp = this.rtp(capturedMs * (1 + wallPpm / 1e6))
    const ticks = this.clock.timeOf(rtp, arrivalMs)
    this.placed.push({ trueMs: capturedMs, placedMs: (ticks * 1000) / this.options.rateHz, ticks, rtp })
  }

  report(sentMs: number, wallPpm: number, noiseMs: number): void {
    if (!this.reports) return
    const wallMs = sentMs * (1 + wallPpm / 1e6)
    this.clock.reference(NTP_MS + wallMs + this.wallShiftMs, this.rtp(wallMs + noiseMs))
  }

  /** Where frames lie against the truth, ms, from `fromMs` on. */
  errors(fromMs: number, toMs = Number.POSITIVE_INFINITY): number[] {
    return this.placed
      .filter(({ trueMs }) => trueMs >= fromMs && trueMs < toMs)
      .map(({ trueMs, placedMs }) => placedMs - trueMs)
  }
}

export const AUDIO: StreamOptions = {
  rateHz: 48_000,
  everyMs: 20,
  reportEveryMs: 5000,
  firstReportMs: 2500,
  randomStart: 1_234_567,
}
export const VIDEO: StreamOptions = { rateHz: 90_000, everyMs: 33, delayMs: 40, randomStart: 4_294_000_000 }

export const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values)
export const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Steps between frames less the steps of their RTP times, in ticks. */
export function corrections(stream: Stream, fromMs = 0): number[] {
  const placed = stream.placed.filter(({ trueMs }) => trueMs >= fromMs)
  return placed.slice(1).map(({ ticks, rtp }, i) => ticks - placed[i].ticks - ((rtp - placed[i].rtp) | 0))
}
