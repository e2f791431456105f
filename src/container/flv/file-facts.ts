import type { AmfValue } from './amf0.ts'

/** Frames further apart than this are a gap, not a frame's duration, ms. */
const MAX_FRAME_MS = 1000

/** What one track of a file adds up to. */
export class TrackFacts {
  readonly kind: 'video' | 'audio'
  frames = 0
  bytes = 0
  lastDtsMs = 0
  #lastPtsMs = 0
  #frameMs = 0

  constructor(kind: 'video' | 'audio') {
    this.kind = kind
  }

  count(dtsMs: number, ptsMs: number, sizeBytes: number): void {
    const deltaMs = dtsMs - this.lastDtsMs
    if (this.frames > 0 && deltaMs > 0 && deltaMs <= MAX_FRAME_MS) this.#frameMs = deltaMs
    if (this.frames === 0 || ptsMs > this.#lastPtsMs) this.#lastPtsMs = ptsMs
    this.frames++
    this.bytes += sizeBytes
    this.lastDtsMs = dtsMs
  }

  /** When its last frame has been shown, ms: the latest pts and the time between its last two frames. */
  get endMs(): number {
    return this.frames === 0 ? 0 : this.#lastPtsMs + this.#frameMs
  }
}

/**
 * Where the keyframes lie: at most `capacity` entries. When full, every second one goes, and from then on every second
 * keyframe is noted; so an index of any length is even.
 */
export class KeyframeIndex {
  readonly #capacity: number
  readonly #timesMs: number[] = []
  readonly #positions: number[] = []
  #stride = 1
  #keyframes = 0
  /** Of the last keyframe, noted or not. */
  lastMs: number | undefined

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get length(): number {
    return this.#timesMs.length
  }

  /** `position` is where the tag begins in the file. */
  note(timeMs: number, position: number): void {
    this.lastMs = timeMs
    if (this.#keyframes++ % this.#stride !== 0) return
    if (this.length >= this.#capacity) {
      this.thin()
      if ((this.#keyframes - 1) % this.#stride !== 0) return
    }
    this.#timesMs.push(timeMs)
    this.#positions.push(position)
  }

  /** Drops every second entry. */
  thin(): void {
    const kept = (this.length + 1) >> 1
    for (let i = 1; i < kept; i++) {
      this.#timesMs[i] = this.#timesMs[2 * i]
      this.#positions[i] = this.#positions[2 * i]
    }
    this.#timesMs.length = kept
    this.#positions.length = kept
    this.#stride *= 2
  }

  /** As onMetaData has it, in the order that every known writer uses. */
  toAmf(): { [key: string]: AmfValue } {
    return { filepositions: [...this.#positions], times: this.#timesMs.map((ms) => ms / 1000) }
  }
}

/** What a whole file adds up to: for its onMetaData, and for the report of a repair. */
export class FileFacts {
  readonly tracks: TrackFacts[] = []
  readonly index: KeyframeIndex

  constructor(indexEntries: number) {
    this.index = new KeyframeIndex(indexEntries)
  }

  addTrack(kind: 'video' | 'audio'): TrackFacts {
    const track = new TrackFacts(kind)
    this.tracks.push(track)
    return track
  }

  get frames(): number {
    return this.tracks.reduce((sum, track) => sum + track.frames, 0)
  }
  get durationMs(): number {
    return this.tracks.reduce((end, track) => Math.max(end, track.endMs), 0)
  }

  /** The members of onMetaData that are known when the file is complete, `sizeBytes` long. The index is not among them. */
  toAmf(sizeBytes: number): { [key: string]: AmfValue } {
    const { durationMs } = this
    const lastMs = this.tracks.reduce((last, track) => Math.max(last, track.lastDtsMs), 0)
    const members: { [key: string]: AmfValue } = {
      duration: durationMs / 1000,
      filesize: sizeBytes,
      lasttimestamp: lastMs / 1000,
    }
    for (const kind of ['video', 'audio'] as const) {
      const bytes = this.tracks.reduce((sum, track) => sum + (track.kind === kind ? track.bytes : 0), 0)
      if (bytes > 0 && durationMs > 0) members[`${kind}datarate`] = Math.round((bytes * 80) / durationMs) / 10 // kbit/s
    }
    if (this.index.lastMs !== undefined) members.lastkeyframetimestamp = this.index.lastMs / 1000
    return members
  }
}
