import type { AccessUnit } from '../access-unit.ts'

const NO_BYTES = new Uint8Array(0)

/** The one unit of a depacketizer, filled anew for each. Its fields are its own, so that it can be spread. */
export class DepacketizedUnit implements AccessUnit {
  timestamp = 0
  arrivalMs = 0
  data: Uint8Array = NO_BYTES
  key = false
  config: Uint8Array | undefined = undefined
  width = 0
  height = 0
  temporalLayer = 0
  isDisposable = false
  refersTo = 1
  opens = 0
  isOrphan = false

  clear(timestamp: number, arrivalMs: number): void {
    this.timestamp = timestamp
    this.arrivalMs = arrivalMs
    this.key = false
    this.config = undefined
    this.width = this.height = 0
    this.temporalLayer = 0
    this.isDisposable = false
    this.refersTo = 1
    this.opens = 0
    this.isOrphan = false
  }
}
