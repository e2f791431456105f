import { parseAv1C } from '../codec/av1/av1c.ts'
import { findObu, OBU_SEQUENCE_HEADER } from '../codec/av1/obu.ts'
import { avcParameterSets, parseAvcC } from '../codec/h264/avcc.ts'
import { h264NalType, NAL_AUD, NAL_PPS, NAL_SPS } from '../codec/h264/nal.ts'
import { hevcParameterSets, parseHvcC } from '../codec/hevc/hvcc.ts'
import { hevcNalType, NAL_HEVC_AUD, NAL_HEVC_PPS, NAL_HEVC_SPS } from '../codec/hevc/nal.ts'
import { type LengthSize, nalLength } from '../codec/nal.ts'
import { TapedeckError } from '../media/errors.ts'
import { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'

/**
 * Whether players that know only a track's first configuration (all of them in Matroska, which has one CodecPrivate; in MP4
 * Chromium, and ffmpeg while a file is in fragments) can follow from one configuration to the other: nothing changes, or the
 * frames themselves say what does, where need be with `InBandSets`.
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

/** NAL unit types by which a keyframe shows what it brings itself. */
type NalTypes = {
  readonly of: (unit: Uint8Array) => number
  readonly sps: number
  readonly pps: number
  readonly delimiter: number
}

const H264: NalTypes = { of: h264NalType, sps: NAL_SPS, pps: NAL_PPS, delimiter: NAL_AUD }
const HEVC: NalTypes = { of: hevcNalType, sps: NAL_HEVC_SPS, pps: NAL_HEVC_PPS, delimiter: NAL_HEVC_AUD }

/** What a later configuration of a track puts before its keyframes, so that the frames say what the first one does not. */
export class InBandSets {
  readonly #sets: Uint8Array
  readonly #lengthSize: LengthSize
  /** Undefined for AV1. */
  readonly #nalTypes: NalTypes | undefined

  private constructor(sets: Uint8Array, lengthSize: LengthSize, nalTypes: NalTypes | undefined) {
    this.#sets = sets
    this.#lengthSize = lengthSize
    this.#nalTypes = nalTypes
  }

  /** Undefined for codecs whose keyframes say everything anyway, and where the configuration cannot be read. */
  static of(track: Track): InBandSets | undefined {
    try {
      return InBandSets.#read(track)
    } catch (error) {
      if (error instanceof TapedeckError) return undefined
      throw error
    }
  }

  static #read(track: Track): InBandSets | undefined {
    switch (track.codec) {
      case 'h264': {
        const avcC = parseAvcC(track.config)
        return new InBandSets(avcParameterSets(avcC), avcC.lengthSize, H264)
      }
      case 'hevc': {
        const hvcC = parseHvcC(track.config)
        return new InBandSets(hevcParameterSets(hvcC), hvcC.lengthSize, HEVC)
      }
      case 'av1': {
        const { configObus } = track.config.length === 0 ? { configObus: track.config } : parseAv1C(track.config)
        return configObus.length === 0 ? undefined : new InBandSets(configObus, 4, undefined)
      }
      default:
        return undefined
    }
  }

  /** A keyframe with its parameter sets, the rest of it as it is; the frame itself when it has them, or is none. */
  into(frame: Frame): Frame {
    if (!frame.key) return frame
    const { data } = frame
    const at = this.#nalTypes === undefined ? placeInUnit(data) : this.#placeInSample(data, this.#nalTypes)
    if (at < 0) return frame
    const joined = Buffer.concat([data.subarray(0, at), this.#sets, data.subarray(at)])
    return new Frame(frame.track, frame.dts, frame.pts, true, joined)
  }

  /** Where the sets go: behind an access unit delimiter, which stays first; -1 where they are, or nothing can be made out. */
  #placeInSample(data: Uint8Array, types: NalTypes): number {
    let place = 0
    let hasSps = false
    for (let at = 0; at < data.length; ) {
      const length = nalLength(data, at, this.#lengthSize)
      if (length < 0) return -1
      const end = at + this.#lengthSize + length
      const type = types.of(data.subarray(at + this.#lengthSize, end))
      if (type === types.sps) hasSps = true
      else if (type === types.pps && hasSps) return -1
      else if (at === 0 && type === types.delimiter) place = end
      at = end
    }
    return place
  }
}

/** Temporal units begin with their sequence header, if they have one (AV1 §7.5). */
function placeInUnit(data: Uint8Array): number {
  return findObu(data, OBU_SEQUENCE_HEADER) === undefined ? 0 : -1
}
