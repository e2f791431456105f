import { isVp8Keyframe, parseVp8Keyframe } from '../../codec/vp8.ts'
import { ALL_LAYERS } from '../access-unit.ts'
import { PictureIds } from './picture-id.ts'
import { type Finished, layersFrom, UnitCutter } from './unit-cutter.ts'

// Payload descriptor, RFC 7741 §4.2
const EXTENDED = 0x80
const NON_REFERENCE = 0x20
const START_OF_PARTITION = 0x10
const PARTITION = 0x07
const HAS_PICTURE_ID = 0x80
const HAS_BASE_INDEX = 0x40
const HAS_LAYER = 0x20
const HAS_KEY_INDEX = 0x10
const LAYER_SYNC = 0x20

const NO_CONFIG = new Uint8Array(0)

/** VP8 (RFC 7741) to frames. */
export class Vp8Depacketizer extends UnitCutter {
  readonly #ids = new PictureIds()
  #hasLayers = false
  #isSync = false
  #isBegun = false
  #configured = false

  protected override start(): void {
    this.#ids.clear()
    this.#hasLayers = this.#isSync = this.#isBegun = false
  }

  protected override begins(payload: Uint8Array): boolean {
    return (payload[0] & (START_OF_PARTITION | PARTITION)) === START_OF_PARTITION
  }

  /** A first partition begins while the frame before has more than that already: its marker is missing. */
  protected override isNext(payload: Uint8Array): boolean {
    return this.#isBegun && this.begins(payload)
  }

  protected override read(payload: Uint8Array): boolean {
    const at = (payload[0] & EXTENDED) === 0 ? 1 : this.#extension(payload)
    this.unit.isDisposable = (payload[0] & NON_REFERENCE) !== 0
    if (at >= payload.length) return false
    this.#isBegun = true
    return this.buffer.append(payload, at, payload.length)
  }

  protected override finish(): Finished {
    const { unit } = this
    const layer = unit.temporalLayer
    const data = this.buffer.view()
    unit.key = isVp8Keyframe(data)
    if (!unit.key && (data[0] & 1) === 0) return this.#malformed() // a keyframe without its start code
    if (unit.key) {
      unit.refersTo = 0
      unit.opens = ALL_LAYERS
      unit.isDisposable = false
      const { width, height } = parseVp8Keyframe(data)
      unit.width = width
      unit.height = height
      if (!this.#configured) unit.config = NO_CONFIG
      this.#configured = true
    } else {
      unit.refersTo = this.#isSync ? 1 : (2 << layer) - 1
      if (this.#isSync) unit.opens = 1 << layer
    }
    if (!this.isAfterHole) this.#ids.remember()
    return 'whole'
  }

  /** By PictureID none or some lie between, by TL0PICIDX none of the base. */
  protected override missingLayers(isTorn: boolean): number {
    const { unit } = this
    let layers = 0
    if (this.isAfterHole && !unit.key && this.#ids.missing !== 0) {
      layers = this.#hasLayers && this.#ids.isBaseWhole(unit.temporalLayer) ? layersFrom(1) : ALL_LAYERS
    }
    if (isTorn && !unit.isDisposable) layers |= layersFrom(unit.temporalLayer)
    this.#ids.remember()
    return layers
  }

  #malformed(): Finished {
    this.malformed++
    return 'torn'
  }

  /** Reads the optional octets; returns what lies behind them. */
  #extension(payload: Uint8Array): number {
    const flags = payload[1]
    let at = 2
    if ((flags & HAS_PICTURE_ID) !== 0) at = this.#ids.read(payload, at)
    if ((flags & HAS_BASE_INDEX) !== 0) this.#ids.base = payload[at++]
    if ((flags & HAS_LAYER) !== 0) {
      this.#hasLayers = true
      this.unit.temporalLayer = payload[at] >> 6
      this.#isSync = (payload[at] & LAYER_SYNC) !== 0
    }
    return (flags & (HAS_LAYER | HAS_KEY_INDEX)) === 0 ? at : at + 1
  }
}
