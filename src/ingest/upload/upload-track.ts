import { withColour } from '../../codec/colour.ts'
import { buildAvcC, writeAvcC } from '../../codec/h264/avcc.ts'
import { h264NalType, NAL_AUD, NAL_PPS, NAL_SPS } from '../../codec/h264/nal.ts'
import { isKeyframe } from '../../codec/keyframe.ts'
import { joinSample, splitAnnexB } from '../../codec/nal.ts'
import { describeTrack, refineTrack } from '../../codec/track.ts'
import type { Arena } from '../../media/arena.ts'
import { fromMs } from '../../media/clock.ts'
import { Frame } from '../../media/frame.ts'
import type { Track } from '../../media/track.ts'
import type { UploadSample } from './demux-start.ts'

/** Where the media of an upload goes. */
export interface UploadTarget {
  track(track: Track): void
  write(frame: Frame): void
}

/** What a track of an upload becomes in the stream. */
export interface UploadTrackOptions {
  readonly id: number
  readonly label: string | undefined
  /** How much later the stream's clock is than the upload's, ms. */
  readonly shiftMs: number
}

/**
 * One track of an upload on its way into a stream. Chromium's Matroska has H.264 as a byte stream with parameter sets in front
 * of keyframes and none in the header; here it becomes what every container holds.
 */
export class UploadTrack {
  readonly #options: UploadTrackOptions
  readonly #arena: Arena
  readonly #shiftTicks: number
  #source: Track
  #track: Track
  #isAnnounced = false

  constructor(source: Track, options: UploadTrackOptions, arena: Arena) {
    this.#source = source
    this.#options = options
    this.#arena = arena
    this.#shiftTicks = fromMs(options.shiftMs, source.timescale)
    this.#track = this.#own(source, 0)
  }

  /** Passes one sample on, with its alpha channel if it has one. Returns whether decoding may start there. */
  take(sample: UploadSample, bytes: Uint8Array, target: UploadTarget, alpha?: Uint8Array): boolean {
    if (sample.track !== this.#source) this.#change(sample.track)
    const data = this.#track.codec === 'h264' && isByteStream(bytes) ? this.#prefixed(bytes) : bytes
    if (data.length === 0) return false
    const refined = refineTrack(this.#track, data)
    if (refined !== this.#track || !this.#isAnnounced) this.#announce(refined, target)
    const isVideo = this.#track.kind === 'video'
    const key = !isVideo || (this.#track.config.length > 0 ? isKeyframe(this.#track, data) : sample.key)
    if (isVideo && !this.#isKnown) return false
    const alphaBytes = alpha?.length ?? 0
    const block = this.#arena.reserve(data.length + alphaBytes)
    const { start } = this.#arena
    block.bytes.set(data, start)
    if (alpha !== undefined) block.bytes.set(alpha, start + data.length)
    const view = block.bytes.subarray(start, start + data.length)
    try {
      const [dts, pts] = [sample.dts + this.#shiftTicks, sample.pts + this.#shiftTicks]
      target.write(new Frame(this.#track, dts, pts, key, view, block, alphaBytes))
    } finally {
      block.release()
    }
    return key
  }

  /** H.264 and HEVC cannot be kept without a configuration, and the others say in their first keyframe what they are. */
  get #isKnown(): boolean {
    const { codec, config } = this.#track
    return config.length > 0 || (codec !== 'h264' && codec !== 'hevc')
  }

  #change(source: Track): void {
    this.#source = source
    this.#track = this.#own(source, this.#track.epoch + 1)
    this.#isAnnounced = false
  }

  #announce(track: Track, target: UploadTarget): void {
    this.#track = track
    if (!this.#isKnown) return
    this.#isAnnounced = true
    target.track(track)
  }

  #own(source: Track, epoch: number): Track {
    const { id, label } = this.#options
    return { ...source, id, epoch, ...(label === undefined ? {} : { label }) }
  }

  #prefixed(bytes: Uint8Array): Uint8Array {
    const units = splitAnnexB(bytes)
    const sets = units.filter((unit) => h264NalType(unit) === NAL_SPS || h264NalType(unit) === NAL_PPS)
    if (sets.some((unit) => h264NalType(unit) === NAL_SPS) && sets.some((unit) => h264NalType(unit) === NAL_PPS)) {
      this.#configure(writeAvcC(buildAvcC(sets)))
    }
    return joinSample(units.filter((unit) => !sets.includes(unit) && h264NalType(unit) !== NAL_AUD))
  }

  #configure(config: Uint8Array): void {
    const track = this.#track
    if (Buffer.compare(config, track.config) === 0) return
    const epoch = track.config.length === 0 ? track.epoch : track.epoch + 1
    const { id, timescale, codec, label, language } = track
    const named = { ...(label === undefined ? {} : { label }), ...(language === undefined ? {} : { language }) }
    const described = describeTrack({ id, epoch, timescale, codec, config, ...named })
    const { colour } = this.#source.kind === 'video' ? this.#source : {}
    this.#track = described.kind === 'video' ? withColour(described, colour) : described
    this.#isAnnounced = false
  }
}

/** Whether an access unit begins with a start code of four bytes (H.264 Annex B): as a length it would be of one byte. */
function isByteStream(bytes: Uint8Array): boolean {
  return bytes.length > 5 && bytes[0] === 0 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 1
}
