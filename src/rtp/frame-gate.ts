import { toMs } from '../media/clock.ts'
import type { MediaLoss } from '../media/source-report.ts'
import { type AccessUnit, type AccessUnitSink, ALL_LAYERS, type Damage } from './access-unit.ts'

/** What a gate lets through, and what it has to say. */
export interface FrameGateSink {
  unit(unit: AccessUnit): void
  /** Something was lost or left out, and that is over. */
  loss(loss: Omit<MediaLoss, 'trackId'>): void
  /** Called at once when the gate closes, and every half second of media while it stays so. */
  keyframeNeeded(): void
}

/** How a gate is run. */
export interface FrameGateOptions {
  /** Of the RTP timestamps. */
  readonly clockRateHz: number
  /** `all` leaves nothing out once there was a key unit; losses are told and keyframes asked for all the same. */
  readonly keep?: 'decodable' | 'all'
  /** ms since 1970; `Date.now` by default. */
  readonly now?: () => number
}

const ASK_AGAIN_MS = 500 // of media: a keyframe takes a round trip and one frame
const MAX_LEADING_MS = 10_000 // what goes back further is another clock, not a leading picture

type Episode = { atMs: number; from: number; packets: number; damaged: number; undecodable: number }

/**
 * Leaves out units that cannot be decoded right, since something they refer to was lost. The rule stands in docs/webrtc.md,
 * "What is left out". The first unit that comes through is always key, and so is the first after a loss that concerns the base layer.
 */
export class FrameGate implements AccessUnitSink {
  readonly #sink: FrameGateSink
  readonly #rate: number
  readonly #keepAll: boolean
  readonly #now: () => number
  #started = false
  /** Layers of which something is missing that later units may refer to. */
  #missing = ALL_LAYERS
  /** Layers there are. */
  #layers = 1
  #episode: Episode | undefined
  /** Timestamp of the key unit at which the gate opened, until a later one has come. */
  #entry: number | undefined
  #newest: number | undefined
  /** Newest timestamp when a keyframe was asked for, since the last one. */
  #askedAt: number | undefined
  /** Newest timestamp when units began to be left out, until one of the highest layer goes through. */
  #closedAt: number | undefined
  damagedFrames = 0
  undecodableFrames = 0

  constructor(sink: FrameGateSink, options: FrameGateOptions) {
    this.#sink = sink
    this.#rate = options.clockRateHz
    this.#keepAll = options.keep === 'all'
    this.#now = options.now ?? Date.now
  }

  /** Whether everything that comes is let through. */
  get isOpen(): boolean {
    return (this.#missing & this.#layers) === 0
  }

  unit(unit: AccessUnit): void {
    this.#layers |= 1 << unit.temporalLayer
    if (unit.key) this.#enter(unit)
    if (this.#isLeftOut(unit)) {
      this.#leaveOut(unit)
      return
    }
    this.#missing &= ~unit.opens
    if (this.#keepAll && (unit.isOrphan || (this.#missing & 1) !== 0) && this.#isTimeToAsk(unit)) this.#ask()
    if (this.#layers >> (unit.temporalLayer + 1) === 0) this.#closedAt = undefined
    if (this.#episode !== undefined && this.isOpen) this.#tell(this.#episode, unit.timestamp)
    this.#see(unit.timestamp)
    this.#sink.unit(unit)
  }

  damaged(damage: Damage): void {
    this.damagedFrames += damage.damagedUnits
    const episode = this.#begin(damage.timestamp)
    episode.packets += damage.packets
    episode.damaged += damage.damagedUnits
    this.#missing |= damage.layers
    if ((damage.layers & 1) !== 0) this.#ask()
  }

  /** The end of the stream: what is not over is told as far as it went. */
  finish(): void {
    if (this.#episode !== undefined) this.#tell(this.#episode, this.#newest ?? this.#episode.from)
  }

  #enter(unit: AccessUnit): void {
    if ((this.#missing & 1) !== 0) this.#entry = unit.timestamp
    this.#started = true
    this.#missing = 0
    this.#askedAt = this.#closedAt = undefined
  }

  #isLeftOut(unit: AccessUnit): boolean {
    if (!this.#started) return true
    if (this.#keepAll) return false
    if (this.#entry !== undefined && unit.timestamp !== this.#entry) {
      const ticks = (unit.timestamp - this.#entry) | 0
      if (ticks < 0 && toMs(-ticks, this.#rate) <= MAX_LEADING_MS) return true
      this.#entry = undefined
    }
    return unit.isOrphan || (this.#missing & unit.refersTo) !== 0
  }

  #leaveOut(unit: AccessUnit): void {
    const isLeading = this.#entry !== undefined
    this.undecodableFrames++
    if (this.#started) this.#begin(unit.timestamp)
    if (this.#episode !== undefined) this.#episode.undecodable++
    // What refers to a leading picture is one itself (HEVC §3.72, and open GOPs of H.264).
    if (!unit.isDisposable && !unit.isOrphan && !isLeading) this.#missing |= 1 << unit.temporalLayer
    this.#see(unit.timestamp)
    this.#closedAt ??= this.#newest
    if (!isLeading && this.#isTimeToAsk(unit)) this.#ask()
  }

  /** At once when the base layer is concerned; when only others are, if they do not open by themselves. */
  #isTimeToAsk(unit: AccessUnit): boolean {
    const isBase = (this.#missing & 1) !== 0 || unit.temporalLayer === 0
    const since = this.#askedAt ?? (isBase ? undefined : this.#closedAt)
    return since === undefined || toMs(Math.abs((unit.timestamp - since) | 0), this.#rate) >= ASK_AGAIN_MS
  }

  #ask(): void {
    this.#askedAt = this.#newest
    this.#sink.keyframeNeeded()
  }

  #see(timestamp: number): void {
    const ticks = this.#newest === undefined ? 1 : (timestamp - this.#newest) | 0
    if (ticks > 0 || toMs(-ticks, this.#rate) > MAX_LEADING_MS) this.#newest = timestamp
  }

  #begin(timestamp: number | undefined): Episode {
    const from = this.#newest ?? timestamp ?? 0
    return (this.#episode ??= { atMs: this.#now(), from, packets: 0, damaged: 0, undecodable: 0 })
  }

  #tell(episode: Episode, timestamp: number): void {
    this.#episode = undefined
    this.#sink.loss({
      at: new Date(episode.atMs).toISOString(),
      lengthMs: toMs(Math.max(0, (timestamp - episode.from) | 0), this.#rate),
      packets: episode.packets,
      damagedFrames: episode.damaged,
      undecodableFrames: episode.undecodable,
    })
  }
}
