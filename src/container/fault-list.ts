import type { Fault } from './reader.ts'

/** Faults kept; a file that is garbage throughout has no end of them. */
const MAX_FAULTS = 200

/** Collects faults up to a bound. */
export class FaultList {
  readonly all: Fault[] = []

  note(kind: string, offset: number, message: string): void {
    if (this.all.length < MAX_FAULTS) this.all.push({ kind, offset, message })
  }
}
