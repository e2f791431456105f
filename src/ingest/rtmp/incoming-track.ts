import { isKeyframe } from '../../codec/keyframe.ts'
import { describeTrack, refineTrack } from '../../codec/track.ts'
import { configOf } from '../../container/flv/sequence-header.ts'
import type { AudioCodec, Track, VideoCodec } from '../../media/track.ts'

/** Legacy FLV counts milliseconds. */
const LEGACY_TIMESCALE = 1000 // ticks per second, RTMP 1.0 §4
/** Enhanced messages may carry nanoseconds (ModEx) at any time, and a timescale cannot change: microseconds from the start. */
const ENHANCED_TIMESCALE = 1_000_000 // ticks per second
/** Codecs that cannot be decoded without a configuration from a sequence header. */
const NEEDS_CONFIG: ReadonlySet<string> = new Set(['h264', 'hevc', 'av1', 'aac', 'flac'])
const NOTHING = new Uint8Array(0)

/** What a message says of the sound, for codecs that do not say it themselves (PCM, G.711). */
export interface ClaimedSound {
  readonly sampleRateHz: number
  readonly channels: number
}

/**
 * One track of a publisher, told apart by kind and E-RTMP track id, while its configuration comes and goes.
 *
 * `current` is announced only once its facts are known: VP8 or MP3 have theirs in the first frame.
 */
export class IncomingTrack {
  readonly id: number
  readonly timescale: number
  /** Why nothing of this track is kept; undefined while it is. */
  refused: string | undefined
  #current: Track | undefined
  #announced = false
  #nextEpoch = 0
  /** The bitstream itself has shown a keyframe: from then on the tag's word counts no more. */
  #sawKey = false

  constructor(id: number, enhanced: boolean) {
    this.id = id
    this.timescale = enhanced ? ENHANCED_TIMESCALE : LEGACY_TIMESCALE
  }

  /**
   * A sequence header. Returns the track when there is one to announce; the same configuration again is nothing new.
   * @throws MalformedError when it cannot be read: frames are then dropped until one can
   */
  configure(codec: VideoCodec | AudioCodec, payload: Uint8Array): Track | undefined {
    const config = configOf(codec, payload)
    const current = this.#current
    if (current?.codec === codec && Buffer.compare(current.config, config) === 0) return undefined
    this.#current = undefined
    if (config.length === 0 && NEEDS_CONFIG.has(codec)) return undefined
    return this.#adopt(describeTrack({ id: this.id, epoch: this.#nextEpoch, timescale: this.timescale, codec, config }))
  }

  /**
   * Before each frame: whether a new track (or epoch) begins with it. Frames without a `current` track afterwards cannot be
   * decoded and are to be dropped.
   */
  prepare(
    codec: VideoCodec | AudioCodec,
    data: Uint8Array,
    mayBeKey: boolean,
    sound?: ClaimedSound,
  ): Track | undefined {
    let track = this.#current
    if (track === undefined || track.codec !== codec) {
      const begun = this.#begin(codec, sound)
      if (begun === undefined) return undefined
      this.#current = track = begun
      this.#announced = false
    } else if (!mayBeKey && this.#announced) return undefined
    const refined = refineTrack(track, data)
    return refined === track && this.#announced ? undefined : this.#adopt(refined)
  }

  /** What frames belong to now; undefined while that is not known. */
  get current(): Track | undefined {
    return this.#announced ? this.#current : undefined
  }

  /** Whether decoding may start at `data`: by the bitstream, or by the tag where the bitstream has never said yes. */
  isKey(track: Track, data: Uint8Array, tagKey: boolean): boolean {
    if (isKeyframe(track, data)) return (this.#sawKey = true)
    return tagKey && !this.#sawKey
  }

  /** A track for frames that came without a sequence header, where the codec does without. */
  #begin(codec: VideoCodec | AudioCodec, sound: ClaimedSound | undefined): Track | undefined {
    if (NEEDS_CONFIG.has(codec)) return undefined
    const config = configOf(codec, NOTHING)
    const base = { id: this.id, epoch: this.#nextEpoch, timescale: this.timescale, codec, config }
    if (sound === undefined) return describeTrack(base)
    return describeTrack({ ...base, sampleRateHz: sound.sampleRateHz, channels: sound.channels })
  }

  #adopt(track: Track): Track | undefined {
    this.#current = track
    this.#announced = track.kind === 'video' ? track.width > 0 : track.sampleRateHz > 0
    if (!this.#announced) return undefined
    this.#nextEpoch = track.epoch + 1
    return track
  }
}
