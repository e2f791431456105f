import type { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'
import { type Gap, Lane } from './lane.ts'
import type { Part } from './part.ts'
import { Tally } from './tally.ts'
import { US_PER_S } from './track-clock.ts'

/** A track that is so far behind the others is not waited for, µs of media. */
const STALE_US = 10 * US_PER_S

/** The lanes of one recording: one per track that ever sent something. */
export class LaneSet {
  readonly #gapMs: number
  readonly #lanes = new Map<number, Lane>()
  /** Tracks that are known to come, by id. */
  #expected: ReadonlyMap<number, Track> = new Map()
  /** Where the present publisher began, µs. */
  #sessionUs = 0
  readonly gaps = new Tally<Gap>()
  /** The track at whose keyframes parts begin: the first video track that is alive. Undefined: at any frame. */
  lead: Lane | undefined

  constructor(gapMs: number) {
    this.#gapMs = gapMs
  }

  get all(): readonly Lane[] {
    return [...this.#lanes.values()]
  }

  /** How far the recording has come, µs: the last frame that was written. */
  get frontUs(): number {
    let front = 0
    for (const { lastUs } of this.#lanes.values()) front = Math.max(front, lastUs ?? 0)
    return front
  }

  /** A publisher begins at `fromUs`, with `tracks`: what an earlier one had besides is not waited for. */
  expect(tracks: readonly Track[], fromUs: number): void {
    this.#expected = new Map(tracks.map((track) => [track.id, track]))
    this.#sessionUs = fromUs
    for (const track of tracks) this.of(track)
  }

  /** The lane of `track`, made when there is none. */
  of(track: Track): Lane {
    let lane = this.#lanes.get(track.id)
    if (lane === undefined) {
      lane = new Lane(track, this.#gapMs, this.gaps)
      this.#lanes.set(track.id, lane)
    }
    return lane
  }

  /** Whether some track still writes into `part`. */
  uses(part: Part): boolean {
    for (const lane of this.#lanes.values()) if (lane.part === part) return true
    return false
  }

  /** Takes all tracks off `part`, or off whatever part they are in. */
  leave(part?: Part): void {
    for (const lane of this.#lanes.values()) if (part === undefined || lane.part === part) lane.part = undefined
  }

  /** Whether a new part may begin in this lane. */
  mayCut(lane: Lane): boolean {
    return this.lead === undefined || lane === this.lead
  }

  /** Finds the lead of `part` anew: a picture that stalls must not keep the sound from being cut. */
  chooseLead(part: Part): void {
    const oldestUs = this.frontUs - STALE_US
    this.lead = undefined
    for (const lane of this.#lanes.values()) {
      if (lane.track.kind !== 'video' || lane.part !== part) continue
      if (lane.lastUs !== undefined && lane.lastUs < oldestUs) continue
      this.lead = lane
      return
    }
  }

  /** Tracks for the header of a part that begins with `frame`: those that are alive. */
  tracksWith(frame: Frame): Track[] {
    const oldestUs = Math.max(this.frontUs - STALE_US, this.#sessionUs)
    const tracks: Track[] = []
    for (const { track, lastUs } of this.#lanes.values()) {
      const isWritten = lastUs !== undefined && lastUs >= this.#sessionUs
      const expected = isWritten ? undefined : this.#expected.get(track.id)
      if (track.id === frame.track.id) tracks.push(frame.track)
      else if (expected !== undefined) tracks.push(expected)
      else if (lastUs === undefined || lastUs >= oldestUs) tracks.push(track)
    }
    return tracks
  }
}
