import { BitWriter } from '../../src/codec/bit-writer.ts'

/** Writes the fields of a parameter set, Exp-Golomb codes among them (H.264 §9.1). */
export class ParameterSetWriter extends BitWriter {
  ue(...values: readonly number[]): this {
    for (const value of values) {
      const length = Math.floor(Math.log2(value + 1))
      this.put(0, length).put(value + 1, length + 1)
    }
    return this
  }

  se(...values: readonly number[]): this {
    for (const value of values) this.ue(value > 0 ? 2 * value - 1 : -2 * value)
    return this
  }

  /** As a NAL unit: stop bit, alignment, emulation prevention (H.264 §7.4.1). */
  nal(): Uint8Array {
    const unit: number[] = []
    let zeros = 0
    for (const byte of this.put(1, 1).align().done()) {
      if (zeros >= 2 && byte <= 3) {
        unit.push(3)
        zeros = 0
      }
      unit.push(byte)
      zeros = byte === 0 ? zeros + 1 : 0
    }
    return Uint8Array.from(unit)
  }
}
