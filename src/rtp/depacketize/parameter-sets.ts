/** One parameter set as it was sent. */
export interface ParameterSet {
  readonly id: number
  /** Of the set it builds upon: of a PPS the SPS, of an HEVC SPS the VPS. */
  readonly parentId: number
  readonly bytes: Uint8Array
}

type Entry = ParameterSet & { isConfigured: boolean }

/** A set with all scaling lists takes some 1000 bytes. */
const MAX_SET_BYTES = 8 * 1024

/** The parameter sets of a stream, the last of each kind and id. Ids are bounded by whoever reads them. */
export class ParameterSets {
  readonly #kinds = new Map<number, Map<number, Entry>>()
  /** Something came that is not in the configuration. */
  isChanged = false

  /** Whether the configuration has exactly this set. */
  isConfigured(kind: number, unit: Uint8Array): boolean {
    const sets = this.#kinds.get(kind)
    if (sets === undefined) return false
    for (const set of sets.values()) if (isSame(set.bytes, unit)) return set.isConfigured
    return false
  }

  /** Keeps a copy of a set that the configuration does not have. False when it is larger than any. */
  put(kind: number, { id, parentId, bytes }: ParameterSet): boolean {
    if (bytes.length > MAX_SET_BYTES) return false
    let sets = this.#kinds.get(kind)
    if (sets === undefined) this.#kinds.set(kind, (sets = new Map()))
    sets.set(id, { id, parentId, bytes: bytes.slice(), isConfigured: false })
    this.isChanged = true
    return true
  }

  get(kind: number, id: number): ParameterSet | undefined {
    return this.#kinds.get(kind)?.get(id)
  }

  /** Those that build upon `parentId`, by their ids. */
  upon(kind: number, parentId: number): ParameterSet[] {
    const sets = this.#kinds.get(kind)
    if (sets === undefined) return []
    return [...sets.values()].filter((set) => set.parentId === parentId).sort((a, b) => a.id - b.id)
  }

  /** The configuration has these, and no others. */
  configured(units: readonly Uint8Array[]): void {
    for (const sets of this.#kinds.values()) {
      for (const set of sets.values()) set.isConfigured = units.includes(set.bytes)
    }
    this.isChanged = false
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
