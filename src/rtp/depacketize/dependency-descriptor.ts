import { BitReader } from '../../media/bits.ts'
import { TapedeckError } from '../../media/errors.ts'

/** A frame's place in the layers, and how many frames back those lie that it refers to. */
type Template = {
  readonly spatialLayer: number
  readonly temporalLayer: number
  readonly differences: readonly number[]
}
/** What the templates of a coded video sequence are, AV1 RTP §A.8.3. */
type Structure = {
  readonly offset: number
  readonly targets: number
  readonly templates: readonly Template[]
}

const MAX_TEMPLATES = 64 // §A.2
const LAST_TEMPLATE = 3 // next_layer_idc, §A.8.3

/** The dependency descriptor of RTP packets (AV1 RTP §A). One object, filled anew for each; it remembers the templates. */
export class DependencyDescriptor {
  #structure: Structure | undefined
  isStart = false
  isEnd = false
  /** 16 bit. */
  frameNumber = 0
  spatialLayer = 0
  temporalLayer = 0
  /** How many frame numbers back the frames lie that it refers to. */
  differences: readonly number[] = []

  /** False, where it cannot be read or its templates never came. */
  read(bytes: Uint8Array): boolean {
    if (bytes.length < 3) return false
    this.isStart = (bytes[0] & 0x80) !== 0
    this.isEnd = (bytes[0] & 0x40) !== 0
    this.frameNumber = (bytes[1] << 8) | bytes[2]
    try {
      return this.#frame(bytes)
    } catch (error) {
      if (error instanceof TapedeckError) return false
      throw error
    }
  }

  #frame(bytes: Uint8Array): boolean {
    let hasDecodeTargets = false
    let hasDifferences = false
    const bits = new BitReader(bytes, 'dependency descriptor')
    bits.skip(24)
    if (bytes.length > 3) {
      const hasStructure = bits.flag()
      const hasActiveTargets = bits.flag()
      hasDecodeTargets = bits.flag()
      hasDifferences = bits.flag()
      bits.skip(1) // custom_chains_flag
      if (hasStructure) this.#structure = parseStructure(bits)
      if (hasActiveTargets) bits.skip(this.#structure?.targets ?? 0)
    }
    const structure = this.#structure
    if (structure === undefined) return false
    const template = structure.templates[((bytes[0] & 0x3f) + MAX_TEMPLATES - structure.offset) % MAX_TEMPLATES]
    if (template === undefined) return false
    if (hasDecodeTargets) bits.skip(2 * structure.targets)
    this.spatialLayer = template.spatialLayer
    this.temporalLayer = template.temporalLayer
    this.differences = hasDifferences ? parseDifferences(bits) : template.differences
    return true
  }
}

/** frame_fdiffs(), §A.8.3. */
function parseDifferences(bits: BitReader): number[] {
  const differences: number[] = []
  for (let nibbles = bits.bits(2); nibbles > 0; nibbles = bits.bits(2)) differences.push(bits.bits(4 * nibbles) + 1)
  return differences
}

/** template_dependency_structure(), §A.8.3. @throws MalformedError */
function parseStructure(bits: BitReader): Structure {
  const offset = bits.bits(6)
  const targets = bits.bits(5) + 1
  const layers = parseLayers(bits)
  bits.skip(2 * targets * layers.length) // template_dtis()
  const templates = layers.map((layer) => {
    const differences: number[] = []
    while (bits.flag()) differences.push(bits.bits(4) + 1)
    return { ...layer, differences }
  })
  skipChains(bits, targets, templates.length)
  if (bits.flag()) bits.skip(32 * ((layers.at(-1)?.spatialLayer ?? 0) + 1)) // render_resolutions()
  return { offset, targets, templates }
}

function parseLayers(bits: BitReader): { spatialLayer: number; temporalLayer: number }[] {
  const layers: { spatialLayer: number; temporalLayer: number }[] = []
  let spatialLayer = 0
  let temporalLayer = 0
  for (let next = 0; next !== LAST_TEMPLATE; ) {
    if (layers.length >= MAX_TEMPLATES) bits.fail('more than 64 templates')
    layers.push({ spatialLayer, temporalLayer })
    next = bits.bits(2)
    if (next === 1) temporalLayer++
    else if (next === 2) {
      temporalLayer = 0
      spatialLayer++
    }
  }
  if (temporalLayer > 7 || spatialLayer > 3) bits.fail('more layers than there are')
  return layers
}

/** template_chains(): which frames carry which chain is not needed where every reference is known. */
function skipChains(bits: BitReader, targets: number, templates: number): void {
  const chains = parseNonSymmetric(bits, targets + 1)
  if (chains === 0) return
  for (let i = 0; i < targets; i++) parseNonSymmetric(bits, chains)
  bits.skip(4 * templates * chains)
}

/** ns(n), AV1 §4.10.7. */
function parseNonSymmetric(bits: BitReader, count: number): number {
  const width = 32 - Math.clz32(count)
  const short = 2 ** width - count
  const value = bits.bits(width - 1)
  return value < short ? value : value * 2 - short + bits.bit()
}
