import { describeTrack, refineTrack } from '../codec/track.ts'
import type { Arena } from '../media/arena.ts'
import { TapedeckError } from '../media/errors.ts'
import { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'
import type { AccessUnit } from '../rtp/access-unit.ts'
import { DecodeClock } from '../rtp/decode-clock.ts'
import { OPUS_LOOK_AHEAD } from '../rtp/depacketize/opus.ts'
import type { PublishSink } from './engine.ts'
import type { ChosenFormat } from './sdp/codec-choice.ts'

/** What is known of a track before anything came. */
export interface IncomingTrackOptions {
  readonly id: number
  readonly kind: 'video' | 'audio'
  readonly format: ChosenFormat
  readonly label: string
  readonly sink: Pick<PublishSink, 'track' | 'frame'>
  readonly arena: Arena
}

/** Access units with their times to frames of one track: its epochs, decoding times that rise, memory that may be kept. */
export class IncomingTrack {
  readonly id: number
  readonly kind: 'video' | 'audio'
  readonly format: ChosenFormat
  readonly label: string
  frames = 0
  keyframes = 0
  bytes = 0
  resolutionChanges = 0
  /** Of units that could not be described: a configuration that cannot be read. */
  undescribed = 0
  readonly #sink: Pick<PublishSink, 'track' | 'frame'>
  readonly #arena: Arena
  readonly #clock: DecodeClock | undefined
  #track: Track | undefined
  /** As the depacketizer gave it last. */
  #config = new Uint8Array()
  #lastDts = -1

  constructor({ id, kind, format, label, sink, arena }: IncomingTrackOptions) {
    this.id = id
    this.kind = kind
    this.format = format
    this.label = label
    this.#sink = sink
    this.#arena = arena
    if (isVideo(format.codec)) this.#clock = new DecodeClock(format.codec, format.clockRateHz)
  }

  /** The track as it is now; undefined before the first unit. */
  get track(): Track | undefined {
    return this.#track
  }

  /** A unit in decoding order. `time` of its RTP timestamp, ticks of the format's clock rate. */
  write(unit: AccessUnit, time: number): void {
    if (this.#track === undefined || unit.config !== undefined || (unit.key && this.#clock !== undefined)) {
      if (!this.#describe(unit)) return
    }
    const track = this.#track
    if (track === undefined) return
    // what Opus decodes to was said that much before the packet's time; a file has the time of the sound
    const pts = track.codec === 'opus' ? Math.max(0, time - OPUS_LOOK_AHEAD) : time
    let dts = pts
    let shownAt = pts
    if (this.#clock !== undefined) {
      this.#clock.place(pts, unit.key)
      dts = this.#clock.dts
      shownAt = this.#clock.pts
    } else if (pts <= this.#lastDts) dts = shownAt = this.#lastDts + 1
    this.#lastDts = dts
    this.frames++
    if (unit.key) this.keyframes++
    const { length } = unit.data
    this.bytes += length
    const block = this.#arena.copy(unit.data)
    const { start } = this.#arena
    const data = block.bytes.subarray(start, start + length)
    this.#sink.frame(new Frame(track, dts, shownAt, unit.key, data, block))
    block.release()
  }

  /** Looks whether this key unit makes a new epoch. False when it cannot be told what it is. */
  #describe(unit: AccessUnit): boolean {
    const before = this.#track
    try {
      const described = this.#described(unit, before)
      const track = described === undefined ? undefined : refineTrack(sized(described, unit), unit.data)
      if (track === undefined) return false
      if (track === before) return true
      if (unit.config !== undefined && unit.config.length > 0) this.#clock?.configure(track.config)
      if (before !== undefined && sizeOf(before) !== sizeOf(track)) this.resolutionChanges++
      // What a new configuration and the unit's own size say together is one epoch.
      this.#track = before !== undefined && track.epoch > before.epoch ? { ...track, epoch: before.epoch + 1 } : track
      this.#sink.track(this.#track)
      return true
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      this.undescribed++
      return before !== undefined && unit.config === undefined
    }
  }

  #described(unit: AccessUnit, before: Track | undefined): Track | undefined {
    const { config } = unit
    if (config === undefined) return before
    if (before !== undefined && Buffer.compare(config, this.#config) === 0) return before
    this.#config = Uint8Array.from(config)
    const { codec, clockRateHz, channels } = this.format
    const epoch = before === undefined ? 0 : before.epoch + 1
    const isPcm = codec === 'pcm-alaw' || codec === 'pcm-mulaw' || codec === 'pcm-s16le'
    const facts = isPcm ? { sampleRateHz: clockRateHz, channels } : {}
    return describeTrack({ id: this.id, epoch, timescale: clockRateHz, codec, config, label: this.label, ...facts })
  }
}

function isVideo(codec: ChosenFormat['codec']): codec is 'h264' | 'hevc' | 'av1' | 'vp9' | 'vp8' {
  return codec === 'h264' || codec === 'hevc' || codec === 'av1' || codec === 'vp9' || codec === 'vp8'
}

/** Of what is shown: a VP9 superframe begins with its smallest layer, which tells only its own size. */
function sized(track: Track, { width, height }: AccessUnit): Track {
  if (track.codec !== 'vp9' || width === 0 || (track.width === width && track.height === height)) return track
  return { ...track, epoch: track.width === 0 ? track.epoch : track.epoch + 1, width, height }
}

function sizeOf(track: Track): string {
  return track.kind === 'video' ? `${track.width}x${track.height}` : ''
}
