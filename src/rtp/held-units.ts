import type { AccessUnit } from './access-unit.ts'

const MAX_BYTES = 4 * 1024 * 1024 // a second and more of any layer that is not the best
const MAX_UNITS = 512

/** A unit with bytes of its own. */
export interface HeldUnit {
  readonly unit: AccessUnit
  readonly pts: number
  /** When it was taken in, ms. */
  readonly sinceMs: number
}

/** Copies of units, oldest first, within bounds. */
export class HeldUnits {
  readonly #units: HeldUnit[] = []
  #bytes = 0

  get count(): number {
    return this.#units.length
  }

  get oldest(): HeldUnit | undefined {
    return this.#units[0]
  }

  /** False when there is no room. */
  push(unit: AccessUnit, pts: number, sinceMs: number): boolean {
    if (this.#units.length >= MAX_UNITS || this.#bytes + unit.data.length > MAX_BYTES) return false
    this.#bytes += unit.data.length
    this.#units.push({ unit: { ...unit, data: unit.data.slice() }, pts, sinceMs })
    return true
  }

  /** Takes out the oldest. */
  shift(): HeldUnit | undefined {
    const held = this.#units.shift()
    if (held !== undefined) this.#bytes -= held.unit.data.length
    return held
  }

  clear(): void {
    this.#units.length = 0
    this.#bytes = 0
  }
}
