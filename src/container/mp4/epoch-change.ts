import { avcParameterSets, parseAvcC } from '../../codec/h264/avcc.ts'
import { h264NalType, NAL_AUD, NAL_SPS } from '../../codec/h264/nal.ts'
import { hevcParameterSets, parseHvcC } from '../../codec/hevc/hvcc.ts'
import { hevcNalType, NAL_HEVC_AUD, NAL_HEVC_SPS } from '../../codec/hevc/nal.ts'
import { type LengthSize, nalLength } from '../../codec/nal.ts'
import { Frame } from '../../media/frame.ts'
import type { Track } from '../../media/track.ts'

/**
 * Whether players that read only the first sample entry (Chromium; ffmpeg while a file is in fragments) can follow from
 * one configuration to the other: nothing changes, or the frames themselves say what does.
 * @throws MalformedError when an H.264 or HEVC configuration cannot be read
 */
export function canFollow(from: Track, to: Track): boolean {
  if (from.codec !== to.codec || from.timescale !== to.timescale) return false
  switch (from.codec) {
    case 'vp8':
    case 'vp9':
    case 'av1':
      return true
    case 'h264':
      return parseAvcC(from.config).lengthSize === parseAvcC(to.config).lengthSize
    case 'hevc':
      return parseHvcC(from.config).lengthSize === parseHvcC(to.config).lengthSize
    default:
      return from.kind === 'audio' && to.kind === 'audio' && isSameSound(from, to)
  }
}

function isSameSound(from: Track & { kind: 'audio' }, to: Track & { kind: 'audio' }): boolean {
  const isSameConfig = Buffer.compare(from.config, to.config) === 0
  return isSameConfig && from.sampleRateHz === to.sampleRateHz && from.channels === to.channels
}

/** What a later configuration of a track puts before its keyframes, so that the frames say what the first entry does not. */
export class InBandSets {
  readonly #sets: Uint8Array
  readonly #lengthSize: LengthSize
  readonly #isHevc: boolean

  private constructor(sets: Uint8Array, lengthSize: LengthSize, isHevc: boolean) {
    this.#sets = sets
    this.#lengthSize = lengthSize
    this.#isHevc = isHevc
  }

  /** Undefined for codecs whose keyframes say everything anyway. @throws MalformedError */
  static of(track: Track): InBandSets | undefined {
    if (track.codec === 'h264') {
      const avcC = parseAvcC(track.config)
      return new InBandSets(avcParameterSets(avcC), avcC.lengthSize, false)
    }
    if (track.codec !== 'hevc') return undefined
    const hvcC = parseHvcC(track.config)
    return new InBandSets(hevcParameterSets(hvcC), hvcC.lengthSize, true)
  }

  /** A keyframe with its parameter sets; the frame itself when it has them, or is none. */
  into(frame: Frame): Frame {
    if (!frame.key) return frame
    const { data } = frame
    let start = 0
    for (let at = 0; at < data.length; ) {
      const length = nalLength(data, at, this.#lengthSize)
      if (length < 0) return frame
      const end = at + this.#lengthSize + length
      const unit = data.subarray(at + this.#lengthSize, end)
      const type = this.#isHevc ? hevcNalType(unit) : h264NalType(unit)
      if (type === (this.#isHevc ? NAL_HEVC_SPS : NAL_SPS)) return frame
      if (at === 0 && type === (this.#isHevc ? NAL_HEVC_AUD : NAL_AUD)) start = end // stays first
      at = end
    }
    const joined = Buffer.concat([data.subarray(0, start), this.#sets, data.subarray(start)])
    return new Frame(frame.track, frame.dts, frame.pts, true, joined)
  }
}
