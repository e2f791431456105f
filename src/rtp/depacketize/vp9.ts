import { isVp9Keyframe, parseVp9Keyframe, vp9Level, vp9SuperframeIndex, vpcCFromVp9 } from '../../codec/vp9.ts'
import { writeVpcC } from '../../codec/vpcc.ts'
import { TapedeckError } from '../../media/errors.ts'
import { ALL_LAYERS } from '../access-unit.ts'
import { ReferenceLedger } from './reference-ledger.ts'
import { type Finished, layersFrom, UnitCutter } from './unit-cutter.ts'
import { Vp9Descriptor } from './vp9-descriptor.ts'

const MAX_FRAMES = 8 // in a superframe, VP9 bitstream §B.2
const ASSUMED_FRAME_RATE = 30 // for the level: VP9 does not say
const BEGIN_BIT = 0x08 // first octet, RFC 9628 §4.2

/**
 * VP9 (RFC 9628) to frames, and to superframes where a picture has several spatial layers: all of them, lowest first, with an
 * index behind (VP9 bitstream, Annex B).
 *
 * In flexible mode every picture says which others it refers to: what a loss means is known exactly then.
 */
export class Vp9Depacketizer extends UnitCutter {
  readonly #descriptor = new Vp9Descriptor()
  readonly #whole = new ReferenceLedger()
  /** Where the layer frames of the picture end. */
  readonly #ends: number[] = []
  #isFrameOpen = false
  #isFlexible = false
  #hasLayers = false
  #isOrphan = false
  #isSwitchingPoint = false
  /** Something was lost since the last keyframe, and left to exact references. */
  #isLeft = false
  /** Nothing was lost since the last keyframe, and there was one. */
  #isUnbroken = false
  /**
   * The sender says what it refers to, and it is not so: Chromium counts pictures that its encoder dropped in P_DIFF, and not in
   * PictureID.
   */
  #isMistaken = false
  #lowestLayer = 0
  #firstLayer = 0
  #config: Uint8Array | undefined

  protected override start(): void {
    this.#descriptor.ids.clear()
    this.#ends.length = 0
    this.#isFrameOpen = this.#hasLayers = this.#isOrphan = this.#isSwitchingPoint = false
    this.#isFlexible = !this.#isMistaken
  }

  protected override begins(payload: Uint8Array): boolean {
    if ((payload[0] & BEGIN_BIT) === 0) return false
    // A sender may leave the lowest spatial layers out; where it never did, they are missing.
    return this.#descriptor.read(payload) > 0 && this.#descriptor.spatialLayer <= this.#lowestLayer
  }

  protected override read(payload: Uint8Array): boolean {
    const descriptor = this.#descriptor
    const at = descriptor.read(payload)
    if (at === 0) return false
    this.#isFlexible &&= descriptor.isFlexible
    this.#hasLayers ||= descriptor.hasLayers
    this.unit.temporalLayer = descriptor.temporalLayer
    if (descriptor.isBegin) {
      if (this.#isFrameOpen || this.#ends.length >= MAX_FRAMES) return false
      this.#begin()
    } else if (!this.#isFrameOpen) return false
    if (!this.buffer.append(payload, at, payload.length)) return false
    if (!descriptor.isEnd) return true
    this.#isFrameOpen = false
    this.#ends.push(this.buffer.length)
    return true
  }

  protected override finish(): Finished {
    if (this.#isFrameOpen) return 'torn'
    const { unit } = this
    unit.key = isVp9Keyframe(this.buffer.view())
    if (unit.key && !this.#configure()) return 'torn'
    if (this.#ends.length > 1) {
      const index = vp9SuperframeIndex(this.#ends)
      if (!this.buffer.append(index, 0, index.length)) return 'torn'
    }
    if (unit.key) {
      unit.refersTo = 0
      unit.opens = ALL_LAYERS
      this.#isLeft = false
      this.#isUnbroken = true
      this.#whole.clear()
      this.#lowestLayer = this.#firstLayer
    } else {
      if (this.#isFlexible && this.#isOrphan && this.#isUnbroken && !this.isAfterHole) {
        this.#isMistaken = true
        this.#isFlexible = false
      }
      unit.isOrphan = this.#isFlexible ? this.#isOrphan : this.#isLeft
      unit.refersTo = this.#isFlexible ? 0 : (2 << unit.temporalLayer) - 1
      if (this.#isSwitchingPoint) unit.opens = layersFrom(unit.temporalLayer + 1)
    }
    const { ids } = this.#descriptor
    if (!unit.isOrphan && ids.id >= 0) this.#whole.add(ids.number)
    if (!this.isAfterHole) ids.remember()
    return 'whole'
  }

  /** In flexible mode nothing: who refers to what was lost is an orphan. Else by PictureID and TL0PICIDX. */
  protected override missingLayers(isTorn: boolean): number {
    const { unit } = this
    const { ids } = this.#descriptor
    const isLost = isTorn || ids.missing !== 0
    let layers = 0
    if (isLost && (isTorn || !unit.key)) this.#isUnbroken = false
    if (isLost && !unit.key) {
      if (this.#isFlexible && ids.id >= 0) this.#isLeft = true
      else if (!this.isAfterHole) layers = layersFrom(unit.temporalLayer)
      else if (!this.#hasLayers || !ids.isBaseWhole(unit.temporalLayer)) layers = ALL_LAYERS
      else layers = layersFrom(isTorn && unit.temporalLayer === 0 ? 0 : 1)
    }
    ids.remember()
    return layers
  }

  /** A layer frame begins. */
  #begin(): void {
    const descriptor = this.#descriptor
    const { ids } = descriptor
    this.#isFrameOpen = true
    if (this.#ends.length === 0) this.#firstLayer = descriptor.spatialLayer
    this.#isSwitchingPoint ||= descriptor.isSwitchingPoint
    for (const difference of descriptor.differences) {
      if (!this.#whole.has(ids.number - difference)) this.#isOrphan = true
    }
  }

  /** The first layer frame of a key picture is a keyframe; how large the last one is, the scalability structure says. */
  #configure(): boolean {
    const { unit } = this
    const { width, height } = this.#descriptor
    try {
      const vpcC = vpcCFromVp9(this.buffer.view())
      const header = parseVp9Keyframe(this.buffer.view())
      const isLayered = this.#ends.length > 1 && width > 0 && height > 0
      unit.width = isLayered ? width : header.width
      unit.height = isLayered ? height : header.height
      const config = writeVpcC({ ...vpcC, level: vp9Level(unit.width, unit.height, ASSUMED_FRAME_RATE) })
      if (this.#config === undefined || Buffer.compare(this.#config, config) !== 0) unit.config = this.#config = config
      return true
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      this.malformed++
      return false
    }
  }
}
