import { MisuseError, TapedeckError, UnsupportedError } from '../../media/errors.ts'
import type { Track } from '../../media/track.ts'
import { canFollow } from '../epoch-change.ts'
import type { DocType } from './codec-mapping.ts'
import { EbmlWriter, voidElement } from './ebml.ts'
import { TRACKS } from './elements.ts'
import { writeTrackEntry } from './track-writer.ts'

/** Room behind the first tracks for those that come late, bytes: some five of HEVC, dozens of others. */
const RESERVE_BYTES = 8192
/** What must stay of the reserve, so that a Void can fill it, bytes. */
const MIN_VOID_BYTES = 9
/** Highest track number that a block holds in one byte (RFC 9559 §10.1). */
const MAX_TRACKS = 126

/** The Tracks element and the Void behind it: together of one size for the whole life of a file, so that it can be rewritten in place. */
export class TrackTable {
  readonly #docType: DocType
  readonly #tracks: Track[] = []
  /** Bytes of Tracks and Void together, once written. */
  #roomBytes: number | undefined
  /** Where the Tracks start in the file. */
  offset = 0

  constructor(docType: DocType) {
    this.#docType = docType
  }

  /** The TrackNumber of the track with this id, from 1. */
  numberOf(id: number): number {
    return this.#tracks.findIndex((track) => track.id === id) + 1
  }

  /** Fixes the place in the file, and with it the room. */
  place(offset: number): void {
    this.offset = offset
    this.#roomBytes = this.#render(this.#tracks).length + RESERVE_BYTES
  }

  accepts(track: Track): boolean {
    const known = this.#tracks.find((other) => other.id === track.id)
    return known === undefined ? this.#fits([...this.#tracks, track]) : continues(known, track)
  }

  /** Takes `track` in. True when the table has changed and must be written. @throws UnsupportedError for a codec that the container cannot carry */
  add(track: Track): boolean {
    if (this.numberOf(track.id) > 0) return this.refine(track)
    if (this.#roomBytes !== undefined && !this.#fits([...this.#tracks, track])) return false
    if (this.#tracks.length === MAX_TRACKS) return false
    this.#render([track])
    this.#tracks.push(track)
    return true
  }

  /** Whether the file's CodecPrivate is that of `track`. */
  describes(track: Track): boolean {
    const known = this.#tracks[this.numberOf(track.id) - 1]
    return known !== undefined && Buffer.compare(known.config, track.config) === 0
  }

  /** Facts that were not known before, such as the size of VP8 pictures. True when the table has changed. */
  refine(track: Track): boolean {
    const at = this.numberOf(track.id) - 1
    if (at < 0 || !isVague(this.#tracks[at]) || isVague(track)) return false
    const tracks = this.#tracks.with(at, track)
    if (!this.#fits(tracks)) return false
    this.#tracks[at] = track
    return true
  }

  /** Tracks and Void. */
  bytes(): Uint8Array {
    if (this.#roomBytes === undefined) throw new MisuseError('Matroska tracks: written before they were placed')
    const tracks = this.#render(this.#tracks)
    return new EbmlWriter()
      .raw(tracks)
      .raw(voidElement(this.#roomBytes - tracks.length))
      .done()
  }

  #fits(tracks: readonly Track[]): boolean {
    if (tracks.length > MAX_TRACKS) return false
    try {
      return this.#render(tracks).length + MIN_VOID_BYTES <= (this.#roomBytes ?? Number.POSITIVE_INFINITY)
    } catch (error) {
      if (error instanceof UnsupportedError) return false
      throw error
    }
  }

  #render(tracks: readonly Track[]): Uint8Array {
    const out = new EbmlWriter()
    out.master(TRACKS, (entries) => {
      for (const [i, track] of tracks.entries()) writeTrackEntry(entries, i + 1, track, this.#docType)
    })
    return out.done()
  }
}

/** Facts are still to come from its frames. */
function isVague(track: Track): boolean {
  return track.kind === 'video' ? track.width === 0 : track.sampleRateHz === 0
}

/** Whether frames of `next` decode with what the file says of `known`, where need be with parameter sets in them. */
function continues(known: Track, next: Track): boolean {
  if (known.codec !== next.codec || known.timescale !== next.timescale) return false
  const isSameConfig = Buffer.compare(known.config, next.config) === 0
  if (known.kind === 'video' || next.kind === 'video')
    return !bringsAlpha(known, next) && (isSameConfig || follows(known, next))
  if (!isSameConfig) return false
  return isVague(known) || (known.sampleRateHz === next.sampleRateHz && known.channels === next.channels)
}

/** The file would have to say so in its header. */
function bringsAlpha(known: Track, next: Track): boolean {
  return next.kind === 'video' && next.hasAlpha === true && !(known.kind === 'video' && known.hasAlpha)
}

function follows(known: Track, next: Track): boolean {
  try {
    return canFollow(known, next)
  } catch (error) {
    if (error instanceof TapedeckError) return false
    throw error
  }
}
