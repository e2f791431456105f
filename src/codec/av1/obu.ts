import { LimitError, MalformedError } from '../../media/errors.ts'

/** obu_type values, AV1 §6.2.2. */
export const OBU_SEQUENCE_HEADER = 1
export const OBU_TEMPORAL_DELIMITER = 2
export const OBU_FRAME_HEADER = 3
export const OBU_FRAME = 6

const HAS_EXTENSION = 0x04 // obu_extension_flag, §5.3.2
const HAS_SIZE = 0x02 // obu_has_size_field, §5.3.2
const MAX_LEB128_BYTES = 8 // §4.10.5
const MAX_OBUS = 16_384 // in one temporal unit: 8 layers of tile groups; garbage has millions

/**
 * Walks the open bitstream units of a temporal unit in place, allocating nothing while it walks.
 *
 * `next` moves to the following unit and says whether there is one; `broken` whether it stopped at garbage.
 */
export class ObuCursor {
  #data: Uint8Array = new Uint8Array(0)
  #next = 0
  /** obu_type. */
  type = 0
  /** Where the unit begins: its header byte. */
  start = 0
  /** Where obu_size, if any, and the payload begin. */
  #afterHeader = 0
  payloadStart = 0
  /** One behind the last byte of the payload. */
  end = 0
  hasSize = false
  broken = false

  reset(data: Uint8Array): this {
    this.#data = data
    this.#next = 0
    this.broken = false
    return this
  }

  next(): boolean {
    const data = this.#data
    const start = this.#next
    if (this.broken || start >= data.length) return false
    const header = data[start]
    this.start = start
    this.type = (header >> 3) & 0xf
    this.hasSize = (header & HAS_SIZE) !== 0
    this.#afterHeader = start + ((header & HAS_EXTENSION) !== 0 ? 2 : 1)
    this.payloadStart = this.#afterHeader
    this.end = this.hasSize ? this.#sizedEnd() : data.length
    if ((header & 0x80) !== 0 || this.payloadStart > data.length || this.end > data.length) {
      this.broken = true // obu_forbidden_bit, or longer than what is there
      return false
    }
    this.#next = this.end
    return true
  }

  /** Reads obu_size, leb128(), §4.10.5; beyond the data when it is broken. */
  #sizedEnd(): number {
    let size = 0
    let at = this.#afterHeader
    for (let i = 0; i < MAX_LEB128_BYTES; i++, at++) {
      if (at >= this.#data.length) return Number.POSITIVE_INFINITY
      const byte = this.#data[at]
      size += (byte & 0x7f) * 2 ** (7 * i)
      if ((byte & 0x80) === 0) {
        this.payloadStart = at + 1
        return this.payloadStart + size
      }
    }
    return Number.POSITIVE_INFINITY
  }
}

/** The payload of the first unit of `type`, as a view; undefined when there is none. */
export function findObu(data: Uint8Array, type: number): Uint8Array | undefined {
  const cursor = new ObuCursor().reset(data)
  while (cursor.next()) if (cursor.type === type) return data.subarray(cursor.payloadStart, cursor.end)
  return undefined
}

/** One unit with its size, without extension header. */
export function writeObu(type: number, payload: Uint8Array): Uint8Array {
  const size = leb128(payload.length)
  const obu = new Uint8Array(1 + size.length + payload.length)
  obu[0] = (type << 3) | HAS_SIZE
  obu.set(size, 1)
  obu.set(payload, 1 + size.length)
  return obu
}

/** Unsigned little-endian base 128, the shortest form, §4.10.5. */
function leb128(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Uint8Array.from(bytes)
}

/**
 * A temporal unit (low-overhead format, §5.2) as a sample: without temporal delimiters, every unit with its size
 * (AV1-ISOBMFF §2.4). The same bytes, not a copy, when it is one already.
 * @throws MalformedError
 */
export function temporalUnitToSample(data: Uint8Array): Uint8Array {
  const cursor = new ObuCursor().reset(data)
  let units = 0
  let change = false
  while (cursor.next()) {
    if (++units > MAX_OBUS) throw new LimitError('AV1: OBUs in one temporal unit', { limit: MAX_OBUS })
    change ||= cursor.type === OBU_TEMPORAL_DELIMITER || !cursor.hasSize
  }
  if (cursor.broken) throw new MalformedError('AV1', 'OBU is longer than its temporal unit', cursor.start)
  return change ? rebuild(cursor.reset(data), data) : data
}

function rebuild(cursor: ObuCursor, data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = []
  while (cursor.next()) {
    if (cursor.type === OBU_TEMPORAL_DELIMITER) continue
    if (cursor.hasSize) {
      parts.push(data.subarray(cursor.start, cursor.end))
      continue
    }
    const header = Uint8Array.from(data.subarray(cursor.start, cursor.payloadStart))
    header[0] |= HAS_SIZE
    parts.push(header, leb128(cursor.end - cursor.payloadStart), data.subarray(cursor.payloadStart, cursor.end))
  }
  return new Uint8Array(Buffer.concat(parts))
}
