import { EbmlWriter } from './ebml.ts'
import * as E from './elements.ts'

/** Entries of one track are at least this far apart, so that streams of keyframes alone keep a small index, ms. */
const MIN_SPACING_MS = 250
/** Sound without pictures gets an entry this often, ms. */
const AUDIO_SPACING_MS = 5000
/** Entries kept; then every second one goes. 36 h at a keyframe per second. About 3 MB. */
const MAX_ENTRIES = 131_072
/** One CuePoint in the fixed form that `pieces` writes, bytes. */
const CUE_POINT_BYTES = 31
/** Entries written at once. */
const PIECE_ENTRIES = 2048

/**
 * Where a player may jump to: collected while blocks are written or scanned, then written as Cues (RFC 9559 §5.1.5).
 * Every keyframe of a video track gets an entry; sound gets one every 5 s while no picture comes.
 */
export class CueIndex {
  readonly #maxEntries: number
  #times = new Float64Array(256)
  #clusters = new Float64Array(256)
  #relatives = new Float64Array(256)
  #tracks = new Uint8Array(256)
  #sorted = true
  #spacingMs = MIN_SPACING_MS
  #lastAnyMs = Number.NEGATIVE_INFINITY
  readonly #lastMs = new Float64Array(256).fill(Number.NEGATIVE_INFINITY)
  length = 0

  constructor(maxEntries = MAX_ENTRIES) {
    this.#maxEntries = maxEntries
  }

  /**
   * A block of track number `track` (1 to 255) at `timeMs`. `cluster`: where its Cluster starts, counted from the
   * Segment's content; `relative`: where it starts, counted from the Cluster's content.
   */
  offer(track: number, isVideo: boolean, key: boolean, timeMs: number, cluster: number, relative: number): void {
    if (isVideo) {
      this.#lastAnyMs = timeMs
      if (!key || timeMs - this.#lastMs[track] < this.#spacingMs) return
    } else if (timeMs - this.#lastAnyMs < Math.max(AUDIO_SPACING_MS, this.#spacingMs)) {
      return
    }
    if (timeMs < 0) return
    this.#lastAnyMs = timeMs
    this.#lastMs[track] = timeMs
    this.#push(track, timeMs, cluster, relative)
  }

  #push(track: number, timeMs: number, cluster: number, relative: number): void {
    if (this.length >= this.#maxEntries) this.#thin()
    if (this.length === this.#times.length) this.#grow()
    const at = this.length++
    if (at > 0 && timeMs < this.#times[at - 1]) this.#sorted = false
    this.#times[at] = timeMs
    this.#clusters[at] = cluster
    this.#relatives[at] = relative
    this.#tracks[at] = track
  }

  #grow(): void {
    const capacity = Math.min(this.#maxEntries, this.#times.length * 2)
    const times = new Float64Array(capacity)
    const clusters = new Float64Array(capacity)
    const relatives = new Float64Array(capacity)
    const tracks = new Uint8Array(capacity)
    times.set(this.#times)
    clusters.set(this.#clusters)
    relatives.set(this.#relatives)
    tracks.set(this.#tracks)
    this.#times = times
    this.#clusters = clusters
    this.#relatives = relatives
    this.#tracks = tracks
  }

  /** Drops every second entry of each track, and from now on takes half as many. */
  #thin(): void {
    const keep = new Uint8Array(256).fill(1)
    let kept = 0
    for (let i = 0; i < this.length; i++) {
      const track = this.#tracks[i]
      keep[track] ^= 1
      if (keep[track] === 1) continue
      this.#times[kept] = this.#times[i]
      this.#clusters[kept] = this.#clusters[i]
      this.#relatives[kept] = this.#relatives[i]
      this.#tracks[kept] = track
      kept++
    }
    const [first, last] = [this.#times[0], this.#times[kept - 1]]
    this.#spacingMs = Math.max(this.#spacingMs * 2, (last - first) / kept)
    this.length = kept
  }

  /** The Cues element in pieces; nothing when there are no entries, since empty Cues are not allowed. */
  *pieces(): Generator<Uint8Array> {
    if (this.length === 0) return
    const order = this.#order()
    let out = new EbmlWriter().raw(Uint8Array.of(0x1c, 0x53, 0xbb, 0x6b)).size(this.length * CUE_POINT_BYTES)
    for (let i = 0; i < order.length; i++) {
      this.#writePoint(out, order[i])
      if (i % PIECE_ENTRIES === PIECE_ENTRIES - 1) {
        yield out.view()
        out = new EbmlWriter()
      }
    }
    if (out.length > 0) yield out.view()
  }

  #order(): Uint32Array {
    const order = Uint32Array.from({ length: this.length }, (_, i) => i)
    return this.#sorted ? order : order.sort((a, b) => this.#times[a] - this.#times[b] || a - b)
  }

  #writePoint(out: EbmlWriter, i: number): void {
    out.master(E.CUE_POINT, (point) => {
      point.uint(E.CUE_TIME, this.#times[i], 6)
      point.master(E.CUE_TRACK_POSITIONS, (position) => {
        position.uint(E.CUE_TRACK, this.#tracks[i], 1)
        position.uint(E.CUE_CLUSTER_POSITION, this.#clusters[i], 8)
        position.uint(E.CUE_RELATIVE_POSITION, this.#relatives[i], 4)
      })
    })
  }
}
