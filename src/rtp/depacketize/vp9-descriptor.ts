import { PictureIds } from './picture-id.ts'

// First octet, RFC 9628 §4.2
const HAS_PICTURE_ID = 0x80
const INTER_PREDICTED = 0x40
const HAS_LAYER = 0x20
const FLEXIBLE = 0x10
const BEGIN = 0x08
const END = 0x04
const HAS_STRUCTURE = 0x02
const MAX_REFERENCES = 3 // P_DIFF, §4.2

/** The payload descriptor of a VP9 packet, RFC 9628 §4.2. One object, filled anew for each packet. */
export class Vp9Descriptor {
  readonly ids = new PictureIds()
  isFlexible = false
  /** The packet is the first of a layer frame. */
  isBegin = false
  isEnd = false
  hasLayers = false
  temporalLayer = 0
  spatialLayer = 0
  /** Pictures of higher temporal layers do not refer to any of theirs before this one. */
  isSwitchingPoint = false
  /** How far back the pictures lie that it refers to; of flexible mode alone. */
  readonly differences: number[] = []
  /** Of the highest spatial layer, by the last scalability structure; 0 while there was none that says so. */
  width = 0
  height = 0

  /** Returns where the frame's bytes begin; 0 where the descriptor cannot be read. */
  read(payload: Uint8Array): number {
    const flags = payload[0]
    this.isFlexible = (flags & FLEXIBLE) !== 0
    this.isBegin = (flags & BEGIN) !== 0
    this.isEnd = (flags & END) !== 0
    this.hasLayers = (flags & HAS_LAYER) !== 0
    this.temporalLayer = this.spatialLayer = 0
    this.isSwitchingPoint = false
    this.differences.length = 0
    let at = 1
    if ((flags & HAS_PICTURE_ID) !== 0) at = this.ids.read(payload, at)
    else if (this.isFlexible) return 0
    if (this.hasLayers) at = this.#layers(payload, at)
    if (this.isFlexible && (flags & INTER_PREDICTED) !== 0) at = this.#references(payload, at)
    if (at > 0 && (flags & HAS_STRUCTURE) !== 0) at = this.#structure(payload, at)
    return at < payload.length ? at : 0
  }

  #layers(payload: Uint8Array, at: number): number {
    this.temporalLayer = payload[at] >> 5
    this.isSwitchingPoint = (payload[at] & 0x10) !== 0
    this.spatialLayer = (payload[at] >> 1) & 7
    if (this.isFlexible) return at + 1
    this.ids.base = payload[at + 1]
    return at + 2
  }

  #references(payload: Uint8Array, from: number): number {
    for (let at = from; at < from + MAX_REFERENCES; at++) {
      this.differences.push(payload[at] >> 1)
      if ((payload[at] & 1) === 0) return at + 1
    }
    return 0
  }

  /** Reads the scalability structure, §4.2.1; returns what lies behind it. */
  #structure(payload: Uint8Array, from: number): number {
    const flags = payload[from]
    let at = from + 1
    if ((flags & 0x10) !== 0) {
      at += 4 * ((flags >> 5) + 1) // Y: width and height of each spatial layer
      if (at > payload.length) return 0
      this.width = (payload[at - 4] << 8) | payload[at - 3]
      this.height = (payload[at - 2] << 8) | payload[at - 1]
    }
    if ((flags & 0x08) === 0) return at
    for (let pictures = payload[at++]; pictures > 0 && at < payload.length; pictures--) {
      at += 1 + ((payload[at] >> 2) & 3) // T, U, R; P_DIFF of each reference
    }
    return at
  }
}
