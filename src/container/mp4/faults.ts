import type { Fault } from '../reader.ts'

/** Of a file that is broken everywhere the first faults tell enough. */
const MAX_FAULTS = 1000

/** Adds a fault to the list, as long as there is room for more. */
export function noteFault(faults: Fault[], kind: string, offset: number, message: string): void {
  if (faults.length < MAX_FAULTS) faults.push({ kind, offset, message })
}
