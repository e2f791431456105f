import { EbmlWriter } from './ebml.ts'
import * as E from './elements.ts'

/** Entries of one track are at least this far apart, so that streams of keyframes alone keep a small index, ms. */
const MIN_SPACING_MS = 250
/** Sound without pictures gets an entry this often, ms. */
const AUDIO_SPACING_MS = 5000
/** Entries kept; then every second one goes. 36 h at a keyframe per second. About 4 MB. */
const MAX_ENTRIES = 131_072
const FIRST_ENTRIES = 64
/** Entries written at once. */
const PIECE_ENTRIES = 4096
const CUES_ID = Uint8Array.of(0x1c, 0x53, 0xbb, 0x6b)
/** A CuePoint, in which only numbers are left to be filled in: all of them are of one length. */
const CUE_POINT = new EbmlWriter()
  .master(E.CUE_POINT, (point) => {
    point.uint(E.CUE_TIME, 0, 6)
    point.master(E.CUE_TRACK_POSITIONS, (position) => {
      position.uint(E.CUE_TRACK, 0, 1)
      position.uint(E.CUE_CLUSTER_POSITION, 0, 8)
      position.uint(E.CUE_RELATIVE_POSITION, 0, 4)
    })
  })
  .done()
const CUE_POINT_BYTES = CUE_POINT.length
/** Where the numbers stand in it. */
const TIME_AT = 4
const TRACK_AT = 14
const CLUSTER_AT = 17
const RELATIVE_AT = 27
const TWO_32 = 2 ** 32

/**
 * Where a player may jump to: collected while blocks are written or scanned, as the Cues (RFC 9559 §5.1.5) will have it, so
 * that however many there are, writing them is copying.
 * Every keyframe of a video track gets an entry; sound gets one every 5 s while no picture comes.
 */
export class CueIndex {
  readonly #maxEntries: number
  #points = new Uint8Array(FIRST_ENTRIES * CUE_POINT_BYTES)
  #view = new DataView(this.#points.buffer)
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
    if ((this.length + 1) * CUE_POINT_BYTES > this.#points.length) this.#grow()
    const index = this.length++
    if (index > 0 && timeMs < this.#timeOf(index - 1)) this.#sorted = false
    const at = index * CUE_POINT_BYTES
    const view = this.#view
    this.#points.set(CUE_POINT, at)
    view.setUint16(at + TIME_AT, Math.floor(timeMs / TWO_32))
    view.setUint32(at + TIME_AT + 2, timeMs % TWO_32)
    view.setUint8(at + TRACK_AT, track)
    view.setUint32(at + CLUSTER_AT, Math.floor(cluster / TWO_32))
    view.setUint32(at + CLUSTER_AT + 4, cluster % TWO_32)
    view.setUint32(at + RELATIVE_AT, relative)
  }

  #timeOf(index: number): number {
    const at = index * CUE_POINT_BYTES + TIME_AT
    return this.#view.getUint16(at) * TWO_32 + this.#view.getUint32(at + 2)
  }

  #grow(): void {
    const points = new Uint8Array(this.#points.length * 2)
    points.set(this.#points)
    this.#points = points
    this.#view = new DataView(points.buffer)
  }

  /** Drops every second entry of each track, and from now on takes half as many. */
  #thin(): void {
    const keep = new Uint8Array(256).fill(1)
    let kept = 0
    for (let i = 0; i < this.length; i++) {
      const at = i * CUE_POINT_BYTES
      const track = this.#points[at + TRACK_AT]
      keep[track] ^= 1
      if (keep[track] === 1) continue
      this.#points.copyWithin(kept * CUE_POINT_BYTES, at, at + CUE_POINT_BYTES)
      kept++
    }
    const [first, last] = [this.#timeOf(0), this.#timeOf(kept - 1)]
    this.#spacingMs = Math.max(this.#spacingMs * 2, (last - first) / kept)
    this.length = kept
  }

  /** The Cues element in pieces; nothing when there are no entries, since empty Cues are not allowed. */
  *pieces(): Generator<Uint8Array> {
    if (this.length === 0) return
    yield new EbmlWriter()
      .raw(CUES_ID)
      .size(this.length * CUE_POINT_BYTES)
      .done()
    const points = this.#sorted ? this.#points : this.#inOrder()
    const endBytes = this.length * CUE_POINT_BYTES
    const pieceBytes = PIECE_ENTRIES * CUE_POINT_BYTES
    for (let at = 0; at < endBytes; at += pieceBytes) yield points.subarray(at, Math.min(at + pieceBytes, endBytes))
  }

  #inOrder(): Uint8Array {
    const times = Float64Array.from({ length: this.length }, (_, i) => this.#timeOf(i))
    const order = Uint32Array.from(times, (_, i) => i).sort((a, b) => times[a] - times[b] || a - b)
    const points = new Uint8Array(this.length * CUE_POINT_BYTES)
    for (const [i, from] of order.entries()) {
      const at = from * CUE_POINT_BYTES
      points.set(this.#points.subarray(at, at + CUE_POINT_BYTES), i * CUE_POINT_BYTES)
    }
    return points
  }
}
