import { LimitError, MalformedError } from '../../media/errors.ts'

/** Packet types that audio and video have in common (E-RTMP v2 enums AudioPacketType, VideoPacketType). */
export const PACKET_TYPE = {
  SEQUENCE_START: 0,
  CODED_FRAMES: 1,
  SEQUENCE_END: 2,
  CODED_FRAMES_X: 3, // video alone
  METADATA: 4, // video; MultichannelConfig in audio
  MPEG2TS_SEQUENCE_START: 5, // video; Multitrack in audio
  MOD_EX: 7,
} as const

/** Which packet type says multitrack. */
export const MULTITRACK = { audio: 5, video: 6 } as const

/** E-RTMP v2 enum AvMultitrackType. */
export const MULTITRACK_TYPE = { ONE_TRACK: 0, MANY_TRACKS: 1, MANY_TRACKS_MANY_CODECS: 2 } as const

/** E-RTMP v2 enum VideoPacketModExType, AudioPacketModExType. */
const TIMESTAMP_OFFSET_NANO = 0
/** "storing values up to 999,999 ns" */
const MAX_OFFSET_NS = 999_999

/** Parts of one body: as many as there are track ids. */
const MAX_PARTS = 256

/** Gets the parts of an enhanced body in their order. */
export interface EnhancedVisitor {
  /** Set before the first `packet`: what a ModEx TimestampOffsetNano adds to the message's time. */
  timestampOffsetNs: number
  /** One track's part: the bytes of `body` from `start` up to `end`. `trackId` is 0 outside of multitrack. */
  packet(body: Uint8Array, fourCc: number, packetType: number, trackId: number, start: number, end: number): void
}

/**
 * Takes an enhanced body apart: the ModEx packets, the multitrack header, the tracks (E-RTMP v2 "ExVideoTagHeader",
 * "ExAudioTagHeader" and the bodies; the same layout in both).
 * @throws MalformedError where it ends too early or has a multitrack type that nobody defined
 * @throws LimitError over 256 tracks
 */
export function walkEnhanced(body: Uint8Array, kind: 'audio' | 'video', visitor: EnhancedVisitor): void {
  const walk = new Walk(body, kind)
  const packetType = walk.modifiers(visitor)
  const isCommand = kind === 'video' && ((body[0] >> 4) & 7) === 5 && packetType !== PACKET_TYPE.METADATA
  if (isCommand) return // a seek hint for players: no media follows
  if (packetType !== MULTITRACK[kind]) {
    const fourCc = walk.u32()
    visitor.packet(body, fourCc, packetType, 0, walk.at, body.length)
  } else walk.tracks(visitor)
}

class Walk {
  readonly #body: Uint8Array
  readonly #kind: 'audio' | 'video'
  at = 1

  constructor(body: Uint8Array, kind: 'audio' | 'video') {
    this.#body = body
    this.#kind = kind
  }

  /** Past all ModEx packets; returns the packet type behind them. */
  modifiers(visitor: EnhancedVisitor): number {
    let packetType = this.#body[0] & 0x0f
    visitor.timestampOffsetNs = 0
    while (packetType === PACKET_TYPE.MOD_EX) {
      let size = this.#u8() + 1
      if (size === 256) size = ((this.#u8() << 8) | this.#u8()) + 1
      const data = this.at
      this.#skip(size)
      const types = this.#u8()
      packetType = types & 0x0f
      if (types >> 4 !== TIMESTAMP_OFFSET_NANO) continue
      if (size < 3) this.#fail(`ModEx timestamp offset of ${size} bytes instead of 3`)
      const offsetNs = (this.#body[data] << 16) | (this.#body[data + 1] << 8) | this.#body[data + 2]
      visitor.timestampOffsetNs = Math.min(offsetNs, MAX_OFFSET_NS)
    }
    return packetType
  }

  tracks(visitor: EnhancedVisitor): void {
    const types = this.#u8()
    const multitrackType = types >> 4
    const packetType = types & 0x0f
    if (packetType === MULTITRACK[this.#kind]) this.#fail('multitrack in multitrack')
    if (multitrackType > MULTITRACK_TYPE.MANY_TRACKS_MANY_CODECS)
      this.#fail(`unknown multitrack type ${multitrackType}`)
    const manyCodecs = multitrackType === MULTITRACK_TYPE.MANY_TRACKS_MANY_CODECS
    let fourCc = manyCodecs ? 0 : this.u32()
    let parts = 0
    do {
      if (++parts > MAX_PARTS) throw new LimitError(`tracks in one ${this.#kind} tag`, { limit: MAX_PARTS })
      if (manyCodecs) fourCc = this.u32()
      const trackId = this.#u8()
      let size = this.#body.length - this.at
      if (multitrackType !== MULTITRACK_TYPE.ONE_TRACK) size = (this.#u8() << 16) | (this.#u8() << 8) | this.#u8()
      const start = this.at
      this.#skip(size)
      visitor.packet(this.#body, fourCc, packetType, trackId, start, this.at)
    } while (this.at < this.#body.length)
  }

  u32(): number {
    const at = this.at
    this.#skip(4)
    const body = this.#body
    return ((body[at] << 24) | (body[at + 1] << 16) | (body[at + 2] << 8) | body[at + 3]) >>> 0
  }

  #u8(): number {
    if (this.at >= this.#body.length) this.#fail('ends in its header')
    return this.#body[this.at++]
  }

  #skip(length: number): void {
    if (this.at + length > this.#body.length) this.#fail(`needs ${length} bytes, ${this.#body.length - this.at} left`)
    this.at += length
  }

  #fail(what: string): never {
    throw new MalformedError(`enhanced ${this.#kind} tag`, what, this.at)
  }
}

/**
 * Writes the multitrack header of one track, behind the body's first byte (E-RTMP v2 AvMultitrackType.OneTrack); returns
 * where it ends.
 */
export function writeOneTrack(
  into: Uint8Array,
  at: number,
  packetType: number,
  fourCc: number,
  trackId: number,
): number {
  into[at] = (MULTITRACK_TYPE.ONE_TRACK << 4) | packetType
  const end = writeFourCc(into, at + 1, fourCc)
  into[end] = trackId
  return end + 1
}

/** Returns where it ends. */
export function writeFourCc(into: Uint8Array, at: number, fourCc: number): number {
  into[at] = fourCc >>> 24
  into[at + 1] = fourCc >>> 16
  into[at + 2] = fourCc >>> 8
  into[at + 3] = fourCc
  return at + 4
}
