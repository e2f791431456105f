/** What every path takes without fragments. */
const MAX_BYTES = 1500
const FIXED_HEADER_BYTES = 12 // RFC 3550 §5.1
/** RFC 8285 §4.2. */
const MAX_ELEMENT_BYTES = 16

/** Writes RTP packets (RFC 3550 §5.1), one after the other, into the same memory: begin, extensions, payload. */
export class RtpWriter {
  readonly #bytes = new Uint8Array(MAX_BYTES)
  #length = 0
  /** Where the header extension begins; 0 while there is none. */
  #extensionAt = 0

  /** `sequenceNumber` and `timestamp` are taken modulo their range. */
  begin(header: {
    payloadType: number
    marker: boolean
    sequenceNumber: number
    timestamp: number
    ssrc: number
  }): void {
    const { sequenceNumber, timestamp, ssrc } = header
    const bytes = this.#bytes
    bytes[0] = 0x80
    bytes[1] = (header.marker ? 0x80 : 0) | header.payloadType
    bytes[2] = sequenceNumber >> 8
    bytes[3] = sequenceNumber
    bytes[4] = timestamp >> 24
    bytes[5] = timestamp >> 16
    bytes[6] = timestamp >> 8
    bytes[7] = timestamp
    bytes[8] = ssrc >> 24
    bytes[9] = ssrc >> 16
    bytes[10] = ssrc >> 8
    bytes[11] = ssrc
    this.#length = FIXED_HEADER_BYTES
    this.#extensionAt = 0
  }

  /** An element with an `id` from 1 to 14 (RFC 8285 §4.2). One that is empty or has more than 16 bytes is left out. */
  extension(id: number, value: Uint8Array): void {
    if (value.length === 0 || value.length > MAX_ELEMENT_BYTES || this.#length + 5 + value.length > MAX_BYTES) return
    if (this.#extensionAt === 0) {
      this.#extensionAt = this.#length
      this.#length += 4
    }
    this.#bytes[this.#length++] = (id << 4) | (value.length - 1)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  /** Ends the packet: `prefix` (16 bit) is the original sequence number of a retransmission, RFC 4588 §4. Undefined when too long. */
  finish(payload: Uint8Array, prefix?: number): Uint8Array | undefined {
    this.#closeExtension()
    const prefixBytes = prefix === undefined ? 0 : 2
    if (this.#length + prefixBytes + payload.length > MAX_BYTES) return undefined
    if (prefix !== undefined) {
      this.#bytes[this.#length++] = prefix >> 8
      this.#bytes[this.#length++] = prefix
    }
    this.#bytes.set(payload, this.#length)
    this.#length += payload.length
    return this.#bytes.subarray(0, this.#length)
  }

  #closeExtension(): void {
    const at = this.#extensionAt
    if (at === 0) return
    while ((this.#length & 3) !== 0) this.#bytes[this.#length++] = 0
    const words = (this.#length - at) / 4 - 1
    this.#bytes[0] |= 0x10
    this.#bytes[at] = 0xbe
    this.#bytes[at + 1] = 0xde
    this.#bytes[at + 2] = words >> 8
    this.#bytes[at + 3] = words
  }
}
