import { ObuCursor } from '../../src/codec/av1/obu.ts'
import { splitSample } from '../../src/codec/nal.ts'

type Payloads = Uint8Array[]

const bytes = (...parts: readonly (Uint8Array | readonly number[])[]) =>
  new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))))

function pieces(data: Uint8Array, size: number): Uint8Array[] {
  const found: Uint8Array[] = []
  for (let at = 0; at < data.length; at += size) found.push(data.subarray(at, at + size))
  return found
}

/** H.264 in packetization mode 1 (RFC 6184): small NAL units that follow each other together, large ones in fragments. */
export function h264Payloads(units: readonly Uint8Array[], size = 1100): Payloads {
  const aggregate = (run: readonly Uint8Array[]) =>
    run.length === 1 ? run[0] : bytes([24], ...run.flatMap((unit) => [[unit.length >> 8, unit.length & 0xff], unit]))
  return aggregated(units, size, aggregate, (unit) => {
    const parts = pieces(unit.subarray(1), size)
    return parts.map((part, i) => {
      const flags = (i === 0 ? 0x80 : 0) | (i === parts.length - 1 ? 0x40 : 0)
      return bytes([(unit[0] & 0xe0) | 28, flags | (unit[0] & 0x1f)], part)
    })
  })
}

/** HEVC (RFC 7798), likewise. */
export function hevcPayloads(units: readonly Uint8Array[], size = 1100): Payloads {
  const aggregate = (run: readonly Uint8Array[]) =>
    run.length === 1
      ? run[0]
      : bytes([48 << 1, 1], ...run.flatMap((unit) => [[unit.length >> 8, unit.length & 0xff], unit]))
  return aggregated(units, size, aggregate, (unit) => {
    const parts = pieces(unit.subarray(2), size)
    return parts.map((part, i) => {
      const flags = (i === 0 ? 0x80 : 0) | (i === parts.length - 1 ? 0x40 : 0)
      return bytes([(unit[0] & 0x81) | (49 << 1), unit[1], flags | ((unit[0] >> 1) & 0x3f)], part)
    })
  })
}

function aggregated(
  units: readonly Uint8Array[],
  size: number,
  aggregate: (run: readonly Uint8Array[]) => Uint8Array,
  fragment: (unit: Uint8Array) => Payloads,
): Payloads {
  const payloads: Payloads = []
  let run: Uint8Array[] = []
  const flush = () => {
    if (run.length > 0) payloads.push(aggregate(run))
    run = []
  }
  for (const unit of units) {
    const length = run.reduce((sum, { length }) => sum + length + 2, unit.length)
    if (length > size) flush()
    if (unit.length > size) payloads.push(...fragment(unit))
    else run.push(unit)
  }
  flush()
  return payloads
}

/** What a VP8 packet says of its picture, RFC 7741 §4.2. */
export interface Vp8Picture {
  readonly id?: number
  readonly base?: number
  readonly layer?: number
  readonly sync?: boolean
  readonly disposable?: boolean
}

export function vp8Payloads(frame: Uint8Array, picture: Vp8Picture = {}, size = 1100): Payloads {
  const { id, base, layer, sync, disposable } = picture
  const flags = (id === undefined ? 0 : 0x80) | (base === undefined ? 0 : 0x40) | (layer === undefined ? 0 : 0x20)
  const extension = [
    ...(flags === 0 ? [] : [flags]),
    ...(id === undefined ? [] : [0x80 | (id >> 8), id & 0xff]),
    ...(base === undefined ? [] : [base]),
    ...(layer === undefined ? [] : [(layer << 6) | (sync === true ? 0x20 : 0)]),
  ]
  return pieces(frame, size).map((part, i) => {
    const first = (flags === 0 ? 0 : 0x80) | (disposable === true ? 0x20 : 0) | (i === 0 ? 0x10 : 0)
    return bytes([first], extension, part)
  })
}

/** What a VP9 packet says of its picture, RFC 9628 §4.2. */
export interface Vp9Picture {
  readonly id?: number
  readonly isShort?: boolean
  readonly flexible?: boolean
  readonly temporal?: number
  readonly spatial?: number
  readonly switching?: boolean
  readonly base?: number
  readonly differences?: readonly number[]
  readonly structure?: readonly number[]
}

/** One layer frame. */
export function vp9Payloads(frame: Uint8Array, picture: Vp9Picture = {}, size = 1100): Payloads {
  const { id, differences = [], flexible = false, temporal, structure } = picture
  const header = [
    ...(id === undefined ? [] : picture.isShort === true ? [id & 0x7f] : [0x80 | (id >> 8), id & 0xff]),
    ...(temporal === undefined
      ? []
      : [(temporal << 5) | (picture.switching === true ? 0x10 : 0) | ((picture.spatial ?? 0) << 1)]),
    ...(temporal === undefined || flexible ? [] : [picture.base ?? 0]),
    ...(flexible ? differences.map((each, i) => (each << 1) | (i < differences.length - 1 ? 1 : 0)) : []),
  ]
  const parts = pieces(frame, size)
  return parts.map((part, i) => {
    const isFirst = i === 0
    const flags =
      (id === undefined ? 0 : 0x80) |
      (differences.length > 0 ? 0x40 : 0) |
      (temporal === undefined ? 0 : 0x20) |
      (flexible ? 0x10 : 0) |
      (isFirst ? 0x08 : 0) |
      (i === parts.length - 1 ? 0x04 : 0) |
      (isFirst && structure !== undefined ? 0x02 : 0)
    return bytes([flags], header, isFirst ? (structure ?? []) : [], part)
  })
}

/** AV1 (AV1 RTP §4): OBUs without their sizes, as many to a packet as it takes. `counted` says the number of elements in W. */
export function av1Payloads(sample: Uint8Array, size = 1100, counted = true): Payloads {
  const payloads: Payloads = []
  let elements: Uint8Array[] = []
  let room = size
  let continues = false
  const flush = (isContinued: boolean) => {
    const count = counted && elements.length <= 3 ? elements.length : 0
    const body = elements.map((each, i) => (count > 0 && i === count - 1 ? each : bytes(leb128(each.length), each)))
    payloads.push(bytes([(continues ? 0x80 : 0) | (isContinued ? 0x40 : 0) | (count << 4)], ...body))
    elements = []
    room = size
    continues = isContinued
  }
  for (const obu of bareObus(sample)) {
    let rest = obu
    while (rest.length > room) {
      elements.push(rest.subarray(0, room))
      rest = rest.subarray(room)
      flush(true)
    }
    elements.push(rest)
    room -= rest.length
    if (room < 8) flush(false)
  }
  if (elements.length > 0) flush(false)
  return payloads
}

/** The OBUs of a sample without their sizes. */
function bareObus(sample: Uint8Array): Uint8Array[] {
  const cursor = new ObuCursor().reset(sample)
  const obus: Uint8Array[] = []
  while (cursor.next()) {
    const header = Uint8Array.from(
      sample.subarray(cursor.start, cursor.start + ((sample[cursor.start] & 4) !== 0 ? 2 : 1)),
    )
    header[0] &= ~0x02
    obus.push(bytes(header, sample.subarray(cursor.payloadStart, cursor.end)))
  }
  return obus
}

function leb128(value: number): number[] {
  const found: number[] = []
  let rest = value
  for (; rest >= 0x80; rest >>= 7) found.push((rest & 0x7f) | 0x80)
  return [...found, rest]
}

/** The NAL units of a sample with 4-byte lengths. */
export function nalUnits(sample: Uint8Array): Uint8Array[] {
  return splitSample(sample, 4)
}
