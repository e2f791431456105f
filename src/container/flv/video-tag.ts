import { MalformedError } from '../../media/errors.ts'
import type { VideoCodec } from '../../media/track.ts'
import {
  type EnhancedVisitor,
  MULTITRACK,
  PACKET_TYPE,
  walkEnhanced,
  writeFourCc,
  writeOneTrack,
} from './enhanced-body.ts'
import { fourCcText, VIDEO_FOURCC, videoCodecOf } from './fourcc.ts'

/** Frame types (FLV v10.1 §E.4.3.1). */
const FRAME_TYPE = { KEY: 1, INTER: 2, GENERATED_KEY: 4, COMMAND: 5 } as const
/** E-RTMP: the first bit of the body says that a FourCC follows. */
const IS_EX_HEADER = 0x80
const CODEC_ID_AVC = 7 // §E.4.3.1
const CODEC_ID_HEVC = 12 // in no spec: what Chinese CDNs and their ffmpeg patches send
/** Legacy codecs that no decoder of today is asked to play (§E.4.3.1). */
const REFUSED: Readonly<Record<number, string>> = {
  2: 'Sorenson H.263',
  3: 'Screen video',
  4: 'On2 VP6',
  5: 'On2 VP6 with alpha',
  6: 'Screen video 2',
}
/** Composition times are SI24, ms (§E.4.3.1). */
const MAX_COMPOSITION_MS = 0x7fffff

/**
 * What one track's part of a video body is. `config`: a decoder configuration (see `configOf`). `frame`: one access unit.
 * `end`: the sequence ends. `metadata`: AMF0 name and value, colorInfo above all. `unsupported`: media that we cannot keep.
 */
export type VideoPacketKind = 'config' | 'frame' | 'end' | 'metadata' | 'unsupported'

/** One track's part of a video body. Belongs to its `VideoTag` and is used again by the next `parse`. */
export class VideoPacket {
  kind: VideoPacketKind = 'end'
  /** Means nothing with `unsupported`. */
  codec: VideoCodec = 'h264'
  /** E-RTMP multitrack id, 0 to 255; 0 without multitrack. A number space of its own beside that of audio. */
  trackId = 0
  /** The tag calls it a keyframe. Encoders err; the bitstream knows better. */
  key = false
  /** pts - dts. May be negative. */
  compositionTimeMs = 0
  /** To be added to the message's time (ModEx), 0 to 999 999. */
  timestampOffsetNs = 0
  /** Its data are the bytes of the body from `start`… */
  start = 0
  /** …up to `end`. */
  end = 0
  /** What is unsupported, for people; empty otherwise. */
  problem = ''
}

/**
 * Takes the bodies of FLV video tags, which are RTMP video messages, apart: legacy (FLV v10.1 §E.4.3) and enhanced
 * (E-RTMP v2 "Enhanced Video"). One object for many bodies: nothing is allocated per frame.
 */
export class VideoTag implements EnhancedVisitor {
  /** The first `count` of them are of the last body. */
  readonly packets: VideoPacket[] = [new VideoPacket()]
  count = 0
  timestampOffsetNs = 0
  #key = false

  /**
   * Returns `count`: 1 almost always, 0 for empty bodies and player commands, more with multitrack.
   * @throws MalformedError where the body ends within its headers
   */
  parse(body: Uint8Array): number {
    this.count = 0
    if (body.length === 0) return 0
    const first = body[0]
    if ((first & IS_EX_HEADER) === 0) this.#legacy(body, first >> 4, first & 0x0f)
    else {
      const frameType = (first >> 4) & 7
      this.#key = frameType === FRAME_TYPE.KEY || frameType === FRAME_TYPE.GENERATED_KEY
      walkEnhanced(body, 'video', this)
    }
    return this.count
  }

  #legacy(body: Uint8Array, frameType: number, codecId: number): void {
    if (frameType === FRAME_TYPE.COMMAND) return
    this.timestampOffsetNs = 0
    const key = frameType === FRAME_TYPE.KEY || frameType === FRAME_TYPE.GENERATED_KEY
    if (codecId !== CODEC_ID_AVC && codecId !== CODEC_ID_HEVC) {
      const packet = this.#add('unsupported', 0, 1, body.length)
      packet.problem = REFUSED[codecId] ?? `video with the unknown codec id ${codecId}`
      return
    }
    if (body.length < 2) throw new MalformedError('video tag', 'ends in its header', body.length)
    const packetType = body[1]
    if (packetType > PACKET_TYPE.SEQUENCE_END) return
    const end = packetType === PACKET_TYPE.SEQUENCE_END
    if (body.length < 5 && !end) throw new MalformedError('video tag', 'ends in its header', body.length)
    const packet = this.#add(kindOf(packetType), 0, Math.min(5, body.length), body.length)
    packet.codec = codecId === CODEC_ID_AVC ? 'h264' : 'hevc'
    packet.key = key
    if (packetType === PACKET_TYPE.CODED_FRAMES) packet.compositionTimeMs = si24(body, 2)
  }

  /** For `walkEnhanced`. */
  packet(body: Uint8Array, fourCc: number, packetType: number, trackId: number, start: number, end: number): void {
    const codec = videoCodecOf(fourCc)
    if (codec === undefined || packetType === PACKET_TYPE.MPEG2TS_SEQUENCE_START) {
      const what = codec === undefined ? `video codec '${fourCcText(fourCc)}'` : 'MPEG-2 TS in video tags'
      this.#add('unsupported', trackId, start, end).problem = what
      return
    }
    if (packetType > PACKET_TYPE.METADATA) return
    const packet = this.#add(kindOf(packetType), trackId, start, end)
    packet.codec = codec
    packet.key = this.#key
    if (packetType !== PACKET_TYPE.CODED_FRAMES || (codec !== 'h264' && codec !== 'hevc')) return
    if (end - start < 3) throw new MalformedError('enhanced video tag', 'ends in its composition time', end)
    packet.compositionTimeMs = si24(body, start)
    packet.start += 3
  }

  #add(kind: VideoPacketKind, trackId: number, start: number, end: number): VideoPacket {
    let packet = this.packets[this.count++]
    if (packet === undefined) this.packets.push((packet = new VideoPacket()))
    packet.kind = kind
    packet.trackId = trackId
    packet.key = false
    packet.compositionTimeMs = 0
    packet.timestampOffsetNs = this.timestampOffsetNs
    packet.start = start
    packet.end = end
    packet.problem = ''
    return packet
  }
}

function kindOf(packetType: number): VideoPacketKind {
  if (packetType === PACKET_TYPE.CODED_FRAMES || packetType === PACKET_TYPE.CODED_FRAMES_X) return 'frame'
  if (packetType === PACKET_TYPE.SEQUENCE_START) return 'config'
  return packetType === PACKET_TYPE.METADATA ? 'metadata' : 'end'
}

function si24(body: Uint8Array, at: number): number {
  return ((body[at] << 24) | (body[at + 1] << 16) | (body[at + 2] << 8)) >> 8
}

/**
 * Writes what stands before the data in a video body: legacy for H.264 with `trackId` 0, enhanced for everything else,
 * with a multitrack header for track ids above 0. At most `MAX_BODY_HEADER_BYTES`; returns where it ends.
 * `compositionTimeMs` counts with frames of H.264 and HEVC alone and is held to 24 bits.
 */
export function writeVideoHeader(
  into: Uint8Array,
  at: number,
  codec: VideoCodec,
  kind: 'config' | 'frame' | 'end',
  trackId: number,
  key: boolean,
  compositionTimeMs: number,
): number {
  const frameType = key ? FRAME_TYPE.KEY : FRAME_TYPE.INTER
  let packetType: number = PACKET_TYPE.CODED_FRAMES
  if (kind !== 'frame') packetType = kind === 'config' ? PACKET_TYPE.SEQUENCE_START : PACKET_TYPE.SEQUENCE_END
  if (codec === 'h264' && trackId === 0) {
    into[at] = (frameType << 4) | CODEC_ID_AVC
    into[at + 1] = packetType
    return writeSi24(into, at + 2, compositionTimeMs)
  }
  const composed = kind === 'frame' && (codec === 'h264' || codec === 'hevc')
  if (composed && compositionTimeMs === 0) packetType = PACKET_TYPE.CODED_FRAMES_X
  const first = IS_EX_HEADER | (frameType << 4)
  let end: number
  if (trackId === 0) {
    into[at] = first | packetType
    end = writeFourCc(into, at + 1, VIDEO_FOURCC[codec])
  } else {
    into[at] = first | MULTITRACK.video
    end = writeOneTrack(into, at + 1, packetType, VIDEO_FOURCC[codec], trackId)
  }
  return composed && compositionTimeMs !== 0 ? writeSi24(into, end, compositionTimeMs) : end
}

function writeSi24(into: Uint8Array, at: number, value: number): number {
  const held = Math.max(-MAX_COMPOSITION_MS - 1, Math.min(value, MAX_COMPOSITION_MS))
  into[at] = held >> 16
  into[at + 1] = held >> 8
  into[at + 2] = held
  return at + 3
}
