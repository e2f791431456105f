import { MisuseError } from '../media/errors.ts'
import { EXTENDED_TIMESTAMP, MAX_MESSAGE_BYTES } from './wire.ts'

/** Basic header of one byte and message header of type 0, bytes, §5.3.1. */
const FULL_HEADER_BYTES = 12

/**
 * What `ChunkWriter` makes of a message of `payloadBytes`, bytes.
 * `timestampMs` is taken modulo 2^32, and is longer on the wire from 2^24 - 1 up (§5.3.1.3).
 */
export function chunkedBytes(payloadBytes: number, timestampMs: number, chunkSize: number): number {
  const extended = timestampMs >>> 0 >= EXTENDED_TIMESTAMP ? 4 : 0
  const continued = payloadBytes === 0 ? 0 : Math.ceil(payloadBytes / chunkSize) - 1
  return FULL_HEADER_BYTES + extended + payloadBytes + continued * (1 + extended)
}

/**
 * Writes messages as chunks into buffers given to it. Every message begins with a full header (type 0), so a buffer of
 * whole messages means the same to every peer, whatever came before it.
 *
 * `target` says where, `begin` a message, `put` its payload in any number of pieces, together the length announced;
 * afterwards `offset` is where the next message goes. Reserve with `chunkedBytes`: writing over the end is misuse.
 */
export class ChunkWriter {
  readonly #chunkSize: number
  #bytes: Uint8Array = new Uint8Array(0)
  #chunkStreamId = 0
  #timestampMs = 0
  #left = 0
  #roomInChunk = 0
  /** Where the next byte goes. */
  offset = 0

  constructor(chunkSize: number) {
    this.#chunkSize = chunkSize
  }

  get chunkSize(): number {
    return this.#chunkSize
  }

  /** From now on into `bytes`, from `offset`. */
  target(bytes: Uint8Array, offset = 0): this {
    this.#bytes = bytes
    this.offset = offset
    return this
  }

  /**
   * The header of a message. `chunkStreamId` from 2 to 63, `timestampMs` modulo 2^32.
   * @throws MisuseError when it does not fit into the target, or while another message lacks payload
   */
  begin(chunkStreamId: number, type: number, timestampMs: number, messageStreamId: number, payloadBytes: number): this {
    const timestamp = timestampMs >>> 0
    const end = this.offset + chunkedBytes(payloadBytes, timestamp, this.#chunkSize)
    if (this.#left > 0)
      throw new MisuseError(`chunk writer: a message begins, ${this.#left} bytes of another are missing`)
    if (end > this.#bytes.length || payloadBytes > MAX_MESSAGE_BYTES) {
      throw new MisuseError(`chunk writer: a message of ${payloadBytes} bytes does not fit`)
    }
    this.#chunkStreamId = chunkStreamId
    this.#timestampMs = timestamp
    this.#left = payloadBytes
    this.#roomInChunk = this.#chunkSize
    this.#header(type, messageStreamId, payloadBytes)
    return this
  }

  /** Some of the payload. @throws MisuseError when it is more than was announced */
  put(payload: Uint8Array): this {
    const length = payload.length
    if (length > this.#left) throw new MisuseError(`chunk writer: ${length} bytes where ${this.#left} were announced`)
    let from = 0
    while (from < length) {
      if (this.#roomInChunk === 0) this.#continue()
      const count = Math.min(length - from, this.#roomInChunk)
      this.#bytes.set(count === length ? payload : payload.subarray(from, from + count), this.offset)
      this.offset += count
      this.#roomInChunk -= count
      from += count
    }
    this.#left -= length
    return this
  }

  /** Type 0, §5.3.1.2.1. */
  #header(type: number, messageStreamId: number, payloadBytes: number): void {
    const bytes = this.#bytes
    const timestamp = this.#timestampMs
    const stated = Math.min(timestamp, EXTENDED_TIMESTAMP)
    let at = this.offset
    bytes[at++] = this.#chunkStreamId
    bytes[at++] = stated >>> 16
    bytes[at++] = stated >>> 8
    bytes[at++] = stated
    bytes[at++] = payloadBytes >>> 16
    bytes[at++] = payloadBytes >>> 8
    bytes[at++] = payloadBytes
    bytes[at++] = type
    bytes[at++] = messageStreamId // little-endian, the only such field
    bytes[at++] = messageStreamId >>> 8
    bytes[at++] = messageStreamId >>> 16
    bytes[at++] = messageStreamId >>> 24
    this.offset = at
    this.#extendedTimestamp()
  }

  /** Type 3, §5.3.1.2.4: the same message goes on. The extended timestamp is repeated, as Adobe's own software does. */
  #continue(): void {
    this.#bytes[this.offset++] = 0xc0 | this.#chunkStreamId
    this.#roomInChunk = this.#chunkSize
    this.#extendedTimestamp()
  }

  #extendedTimestamp(): void {
    const timestamp = this.#timestampMs
    if (timestamp < EXTENDED_TIMESTAMP) return
    const bytes = this.#bytes
    let at = this.offset
    bytes[at++] = timestamp >>> 24
    bytes[at++] = timestamp >>> 16
    bytes[at++] = timestamp >>> 8
    bytes[at++] = timestamp
    this.offset = at
  }
}

/** One whole message as chunks in a buffer of its own. For commands and control; media goes through a `ChunkWriter`. */
export function chunkMessage(
  chunkSize: number,
  header: { chunkStreamId: number; type: number; timestampMs?: number; messageStreamId?: number },
  payload: Uint8Array,
): Buffer {
  const timestampMs = header.timestampMs ?? 0
  const bytes = Buffer.allocUnsafe(chunkedBytes(payload.length, timestampMs, chunkSize))
  new ChunkWriter(chunkSize)
    .target(bytes)
    .begin(header.chunkStreamId, header.type, timestampMs, header.messageStreamId ?? 0, payload.length)
    .put(payload)
  return bytes
}
