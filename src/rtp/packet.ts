import { MalformedError } from '../media/errors.ts'

/** RFC 3550 §5.1. */
const FIXED_HEADER_BYTES = 12

/** One RTP packet: a view of the bytes that came (RFC 3550 §5.1, header extensions RFC 8285). */
export class RtpPacket {
  readonly bytes: Uint8Array
  /** `performance.now()` when it came, ms. */
  readonly arrivalMs: number
  readonly marker: boolean
  readonly payloadType: number
  /** 16 bit, as sent. */
  readonly sequenceNumber: number
  /** 32 bit, as sent. */
  readonly timestamp: number
  readonly ssrc: number
  /** Without padding. */
  readonly payload: Uint8Array
  readonly #extensionAt: number
  readonly #extensionEnd: number
  readonly #extensionProfile: number

  /** @throws MalformedError */
  constructor(bytes: Uint8Array, arrivalMs: number) {
    if (bytes.length < FIXED_HEADER_BYTES || bytes[0] >> 6 !== 2)
      throw new MalformedError('RTP', 'no version 2 header', 0)
    this.bytes = bytes
    this.arrivalMs = arrivalMs
    this.marker = bytes[1] >= 0x80
    this.payloadType = bytes[1] & 0x7f
    this.sequenceNumber = (bytes[2] << 8) | bytes[3]
    this.timestamp = ((bytes[4] << 24) | (bytes[5] << 16) | (bytes[6] << 8) | bytes[7]) >>> 0
    this.ssrc = ((bytes[8] << 24) | (bytes[9] << 16) | (bytes[10] << 8) | bytes[11]) >>> 0
    let at = FIXED_HEADER_BYTES + 4 * (bytes[0] & 0x0f)
    let end = bytes.length
    if ((bytes[0] & 0x10) !== 0) {
      if (at + 4 > end) throw new MalformedError('RTP', 'header extension beyond the end', at)
      this.#extensionProfile = (bytes[at] << 8) | bytes[at + 1]
      this.#extensionAt = at + 4
      at = this.#extensionEnd = at + 4 + 4 * ((bytes[at + 2] << 8) | bytes[at + 3])
    } else {
      this.#extensionProfile = this.#extensionAt = this.#extensionEnd = 0
    }
    if ((bytes[0] & 0x20) !== 0) end -= bytes[end - 1]
    if (at > end) throw new MalformedError('RTP', 'header or padding beyond the end', at)
    this.payload = bytes.subarray(at, end)
  }

  /** The header extension element with this local identifier (RFC 8285 §4.2, §4.3), a view; undefined when it has none. */
  extension(id: number): Uint8Array | undefined {
    const isShort = this.#extensionProfile === 0xbede // §4.2
    if (!isShort && this.#extensionProfile >> 4 !== 0x100) return undefined // §4.3
    for (let at = this.#extensionAt; at < this.#extensionEnd; ) {
      const first = this.bytes[at++]
      if (first === 0) continue // padding
      const element = isShort ? first >> 4 : first
      if (isShort && element === 15) return undefined
      const length = isShort ? (first & 0x0f) + 1 : this.bytes[at++]
      if (at + length > this.#extensionEnd) return undefined
      if (element === id) return this.bytes.subarray(at, at + length)
      at += length
    }
    return undefined
  }
}
