import type { Track } from '../media/track.ts'

/**
 * Which track of a recording each track of its publisher is. Of the first publisher all are what they are. One who returns
 * goes on with what was recorded: each track with the one of its kind that has its label, else its id, else the first that
 * nothing goes on with yet; what remains is a further track.
 *
 * A recorded track keeps its id and its timescale for ever; its epochs count on.
 */
export class TrackBook {
  /** By recorded id, in the configuration that came last. In the order of their first frames. */
  readonly #recorded = new Map<number, Track>()
  /** Recorded id by the publisher's. */
  #ids = new Map<number, number>()
  #hasReturned = false

  /** Somebody publishes anew under the same address. */
  nextSession(): void {
    this.#hasReturned = true
    this.#ids = new Map()
  }

  /** The recorded track that `source` is: the very object that was given out last where nothing has changed. */
  resolve(source: Track): Track {
    if (!this.#hasReturned) {
      this.#recorded.set(source.id, source)
      return source
    }
    let id = this.#ids.get(source.id)
    if (id === undefined) this.#ids.set(source.id, (id = this.#choose(source)))
    const last = this.#recorded.get(id)
    if (last !== undefined && isSame(last, source)) return last
    const next = { epoch: (last?.epoch ?? -1) + 1, timescale: (last ?? source).timescale }
    const track = { ...source, id, ...next }
    this.#recorded.set(id, track)
    return track
  }

  #choose(source: Track): number {
    const taken = new Set(this.#ids.values())
    const free = [...this.#recorded.values()].filter(({ id, kind }) => kind === source.kind && !taken.has(id))
    const found =
      free.find(({ label }) => label !== undefined && label === source.label) ??
      free.find(({ id }) => id === source.id) ??
      free[0]
    if (found !== undefined) return found.id
    return this.#recorded.has(source.id) ? Math.max(...this.#recorded.keys()) + 1 : source.id
  }
}

/** Whether decoders and containers need not be told of anything. */
function isSame(last: Track, next: Track): boolean {
  if (last.codec !== next.codec || Buffer.compare(last.config, next.config) !== 0) return false
  if (last.kind === 'video') {
    const isSameSize = next.kind === 'video' && last.width === next.width && last.height === next.height
    return isSameSize && last.hasAlpha === next.hasAlpha
  }
  return next.kind === 'audio' && last.sampleRateHz === next.sampleRateHz && last.channels === next.channels
}
