import type { FlacBits } from './flac-bits.ts'

const MAX_FIXED_ORDER = 4
/** Rice parameters above would be an escape code. §9.2.7.1 */
const MAX_RICE_PARAMETER = 14
const MAX_PARTITION_ORDER = 6

/** Mean magnitude of the second difference: a cheap measure of how a signal will compress. */
export function roughness(signal: Int32Array): number {
  let sum = 0
  for (let i = 2; i < signal.length; i++) sum += Math.abs(signal[i] - 2 * signal[i - 1] + signal[i - 2])
  return sum
}

/** One channel of one frame: constant, or the fixed predictor that leaves least, Rice coded; verbatim when that is shorter. §9.2 */
export function writeSubframe(bits: FlacBits, signal: Int32Array, sampleBits: number): void {
  if (signal.every((sample) => sample === signal[0])) {
    bits.put(0b0_000000_0, 8) // §9.2.1 constant
    bits.put(signal[0], sampleBits)
    return
  }
  const { order, residual } = bestPredictor(signal)
  const coding = bestPartitions(residual, signal.length, order)
  if (coding === undefined || coding.bits >= signal.length * sampleBits) {
    bits.put(0b0_000001_0, 8) // verbatim
    for (const sample of signal) bits.put(sample, sampleBits)
    return
  }
  bits.put((0b001000 | order) << 1, 8) // fixed predictor
  for (let i = 0; i < order; i++) bits.put(signal[i], sampleBits)
  writeResidual(bits, residual, coding)
}

/** The differences of the order whose magnitudes sum up to least. `residual[i]` belongs to sample `order + i`. §9.2.5 */
function bestPredictor(signal: Int32Array): { order: number; residual: Int32Array } {
  let best = { order: 0, residual: signal }
  let least = magnitude(signal)
  let differences = signal
  for (let order = 1; order <= Math.min(MAX_FIXED_ORDER, signal.length - 1); order++) {
    const next = new Int32Array(differences.length - 1)
    for (let i = 0; i < next.length; i++) next[i] = differences[i + 1] - differences[i]
    differences = next
    const sum = magnitude(differences)
    if (sum >= least) continue
    least = sum
    best = { order, residual: differences }
  }
  return best
}

function magnitude(values: Int32Array): number {
  let sum = 0
  for (const value of values) sum += Math.abs(value)
  return sum
}

interface RiceCoding {
  readonly partitionOrder: number
  /** Where each partition ends within the residual. */
  readonly ends: readonly number[]
  readonly parameters: readonly number[]
  readonly bits: number
}

function bestPartitions(residual: Int32Array, blockSize: number, order: number): RiceCoding | undefined {
  let best: RiceCoding | undefined
  for (let partitionOrder = 0; partitionOrder <= MAX_PARTITION_ORDER; partitionOrder++) {
    const size = blockSize >> partitionOrder
    if (size << partitionOrder !== blockSize || size <= order) break
    const ends: number[] = []
    const parameters: number[] = []
    let bits = 6
    for (let start = 0, end = size - order; start < residual.length; start = end, end += size) {
      const choice = riceParameter(residual, start, end)
      ends.push(end)
      parameters.push(choice.parameter)
      bits += 4 + choice.bits
    }
    if (best === undefined || bits < best.bits) best = { partitionOrder, ends, parameters, bits }
  }
  return best
}

/** The parameter near log2 of the mean, and the bits it costs; the true cost decides between neighbours. */
function riceParameter(residual: Int32Array, start: number, end: number): { parameter: number; bits: number } {
  let sum = 0
  for (let i = start; i < end; i++) sum += zigzag(residual[i])
  const guess = Math.floor(Math.log2(Math.max(1, sum / Math.max(1, end - start))))
  let best = { parameter: 0, bits: Number.POSITIVE_INFINITY }
  for (let parameter = Math.max(0, guess - 1); parameter <= guess + 1; parameter++) {
    const k = Math.min(MAX_RICE_PARAMETER, parameter)
    let bits = (end - start) * (k + 1)
    for (let i = start; i < end; i++) bits += zigzag(residual[i]) >>> k
    if (bits < best.bits) best = { parameter: k, bits }
  }
  return best
}

function writeResidual(bits: FlacBits, residual: Int32Array, coding: RiceCoding): void {
  bits.put(0b00, 2) // 4-bit parameters, §9.2.7
  bits.put(coding.partitionOrder, 4)
  let at = 0
  coding.ends.forEach((end, partition) => {
    const parameter = coding.parameters[partition]
    bits.put(parameter, 4)
    for (; at < end; at++) {
      const folded = zigzag(residual[at])
      bits.unary(folded >>> parameter)
      if (parameter > 0) bits.put(folded, parameter)
    }
  })
}

/** 0, -1, 1, -2… → 0, 1, 2, 3… §9.2.7.2 */
function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0
}
